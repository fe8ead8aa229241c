package org.imagegate.cps

/** Runs bodies inside of the options and the environment of a pipeline or stage. */
class DeclarativeScope implements Serializable {
    private static final long serialVersionUID = 1L

    private final Object script

    DeclarativeScope(Object script) {
        this.script = script
    }

    /** Runs the body with the limits of the options. */
    void limited(DeclarativeModel options, Closure body) {
        List timeout = options.call('timeout')
        if (timeout != null) {
            script.timeout(timeout[0]) {
                retried(options, body)
            }
        } else {
            retried(options, body)
        }
    }

    private void retried(DeclarativeModel options, Closure body) {
        if (options.call('retry') != null) {
            script.retry(options.first('retry')) {
                body()
            }
        } else {
            body()
        }
    }

    /** Runs the body with the variables and credentials of an environment section, which may be null. */
    void environment(Closure section, Closure body) {
        if (section == null) {
            body()
            return
        }
        Map values = DeclarativeEnvironment.of(section)
        List bindings = []
        List plain = []
        List names = new ArrayList(values.keySet())
        for (int i = 0; i < names.size(); i++) {
            Object value = values[names[i]]
            if (value instanceof List) {
                bindings.addAll(DeclarativeSupport.bindings(names[i], value[0]))
            } else {
                plain << "${names[i]}=${value}".toString()
            }
        }
        script.withEnv(plain) {
            if (bindings) {
                script.withCredentials(bindings) {
                    body()
                }
            } else {
                body()
            }
        }
    }
}
