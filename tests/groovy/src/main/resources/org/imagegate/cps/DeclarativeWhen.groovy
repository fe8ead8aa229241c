package org.imagegate.cps

/** Decides on a when section. */
class DeclarativeWhen implements Serializable {
    private static final long serialVersionUID = 1L
    private static final List<String> MODIFIERS = ['beforeAgent', 'beforeOptions', 'beforeInput']

    private final Object script

    DeclarativeWhen(Object script) {
        this.script = script
    }

    /** Tells whether all conditions of the section hold. */
    boolean holds(Closure section) {
        ArrayList<List> conditions = DeclarativeModel.of(section).everything()
        for (int i = 0; i < conditions.size(); i++) {
            List condition = conditions[i]
            if (!MODIFIERS.contains(condition[0]) && !one(condition[0], condition[1])) {
                return false
            }
        }
        return true
    }

    private boolean anyHolds(Closure section) {
        ArrayList<List> conditions = DeclarativeModel.of(section).everything()
        for (int i = 0; i < conditions.size(); i++) {
            if (one(conditions[i][0], conditions[i][1])) {
                return true
            }
        }
        return false
    }

    private boolean one(String name, List arguments) {
        Object argument = arguments ? arguments[0] : null
        switch (name) {
            case 'expression':
                return argument.call() as boolean
            case 'branch':
                String branch = script.env.BRANCH_NAME
                return branch != null && matches(argument instanceof Map ? argument.pattern : argument, branch)
            case 'environment':
                return script.env[argument.name] == argument.value
            case 'equals':
                return argument.expected == argument.actual
            case 'not':
                return !holds(argument)
            case 'allOf':
                return holds(argument)
            case 'anyOf':
                return anyHolds(argument)
            case 'buildingTag':
            case 'tag':
            case 'changeRequest':
            case 'changeset':
                return false
            default:
                throw new IllegalArgumentException("Invalid condition \"${name}\" of when")
        }
    }

    @NonCPS
    private static boolean matches(Object pattern, String branch) {
        String regex = pattern.toString().replace('.', '\\.').replace('**', '\u0000').replace('*', '[^/]*')
        return branch.matches(regex.replace('\u0000', '.*'))
    }
}
