package org.imagegate.cps

/** Runs bodies and then what their post section says. */
class DeclarativePost implements Serializable {
    private static final long serialVersionUID = 1L
    private static final List<String> CONDITIONS =
        ['always', 'changed', 'fixed', 'regression', 'aborted', 'failure', 'success', 'unstable', 'unsuccessful',
         'cleanup']

    private final Object script

    DeclarativePost(Object script) {
        this.script = script
    }

    /** Runs the body, sets the build's result where it fails, and runs the post section, which may be null. */
    void posted(Closure section, Closure body) {
        String before = script.currentBuild.currentResult
        String result = 'SUCCESS'
        Throwable failure = null
        try {
            body()
            if (script.currentBuild.currentResult != before) {
                result = script.currentBuild.currentResult
            }
        } catch (Throwable problem) {
            failure = problem
            result = DeclarativeSupport.failed(problem)
        }
        if (section != null) {
            Throwable inPost = post(DeclarativeModel.of(section), result)
            failure = failure == null ? inPost : failure
        }
        if (failure != null) {
            throw failure
        }
    }

    private Throwable post(DeclarativeModel section, String result) {
        Throwable failure = null
        for (int i = 0; i < CONDITIONS.size(); i++) {
            String condition = CONDITIONS[i]
            if (section.call(condition) != null && applies(condition, result)) {
                try {
                    section.first(condition).call()
                } catch (Throwable problem) {
                    script.echo("Error when executing ${condition} post condition: ${problem}")
                    DeclarativeSupport.failed(problem)
                    failure = failure == null ? problem : failure
                }
            }
        }
        return failure
    }

    /** There is no build before this one, so changed holds unless all is well, and so does no regression. */
    @NonCPS
    private static boolean applies(String condition, String result) {
        switch (condition) {
            case ['always', 'cleanup', 'changed']:
                return true
            case ['fixed', 'regression']:
                return false
            case 'unsuccessful':
                return result != 'SUCCESS'
            default:
                return condition.toUpperCase() == result
        }
    }
}
