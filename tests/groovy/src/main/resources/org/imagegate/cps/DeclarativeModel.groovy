package org.imagegate.cps

/** Takes down what is called in a section of a Declarative pipeline, in order, without doing anything. */
class DeclarativeModel implements Serializable {
    private static final long serialVersionUID = 1L

    final String any = 'any'
    final String none = 'none'
    private final ArrayList<List> calls = []

    /** Reads a section; afterwards its closure resolves names as it did before. */
    static DeclarativeModel of(Closure body) {
        DeclarativeModel model = new DeclarativeModel()
        bind(body, model, Closure.DELEGATE_FIRST)
        body.call()
        bind(body, body.owner, Closure.OWNER_FIRST)
        return model
    }

    @NonCPS
    static void bind(Closure body, Object delegate, int strategy) {
        body.delegate = delegate
        body.resolveStrategy = strategy
    }

    @NonCPS
    Object invokeMethod(String name, Object arguments) {
        calls << [name, (arguments as Object[]) as List]
        return null
    }

    /** Gives the arguments of the last call of that name; null where there is none. */
    @NonCPS
    List call(String name) {
        List found = null
        for (List each : calls) {
            if (each[0] == name) {
                found = each[1]
            }
        }
        return found
    }

    /** Gives the first argument of the last call of that name; null where there is none. */
    @NonCPS
    Object first(String name) {
        List found = call(name)
        return found ? found[0] : null
    }

    /** Gives the arguments of all calls of that name. */
    @NonCPS
    ArrayList<List> all(String name) {
        ArrayList<List> found = []
        for (List each : calls) {
            if (each[0] == name) {
                found << each[1]
            }
        }
        return found
    }

    /** Gives all calls, each a name and its arguments. */
    @NonCPS
    ArrayList<List> everything() {
        return calls
    }
}

/** Takes the assignments of an environment section. */
class DeclarativeEnvironment implements Serializable {
    private static final long serialVersionUID = 1L

    private final LinkedHashMap<String, Object> values = [:]

    /** Gives name to value; the value of {@code credentials(id)} is a list of the id alone. */
    static LinkedHashMap<String, Object> of(Closure body) {
        DeclarativeEnvironment environment = new DeclarativeEnvironment()
        DeclarativeModel.bind(body, environment, Closure.DELEGATE_FIRST)
        body.call()
        DeclarativeModel.bind(body, body.owner, Closure.OWNER_FIRST)
        return environment.taken()
    }

    @NonCPS
    LinkedHashMap<String, Object> taken() {
        return values
    }

    @NonCPS
    Object credentials(String id) {
        return [id]
    }

    @NonCPS
    void setProperty(String name, Object value) {
        values[name] = value instanceof List ? value : String.valueOf(value)
    }

    @NonCPS
    Object getProperty(String name) {
        if (!values.containsKey(name)) {
            throw new MissingPropertyException(name, DeclarativeEnvironment)
        }
        return values[name]
    }
}
