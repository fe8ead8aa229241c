package org.imagegate

/** Promotes an image: by this job, or by the one that holds the signing key. */
class Promotion implements Serializable {
    private static final long serialVersionUID = 1

    private final Object steps

    Promotion(Object steps) {
        this.steps = steps
    }

    /** Gates an image, has it promoted by the other job where that signs, and returns the result. */
    Map ask(Object parameters) {
        Map result = new Bridge(steps).ask('gateImage', parameters)
        return result.staged ? delegate(result) : result
    }

    /** Gates an image that another job staged, and leaves word for that job in this build's variables. */
    Map promote(Object parameters) {
        Bridge bridge = new Bridge(steps)
        Map result = bridge.ask('promoteImage', parameters)
        steps.env.IMAGEGATE_DIGEST = result.digest ?: ''
        steps.env.IMAGEGATE_MESSAGE = result.message
        steps.env.IMAGEGATE_VERDICT = result.outcome
        return bridge.conclude(result)
    }

    /** Has the promotion job evaluate again, sign and tag what was staged. It is told a digest, and what to call it. */
    private Map delegate(Map staged) {
        Object job = steps.build(job: staged.promotionJob, wait: true, propagate: false, parameters: [
            steps.string(name: 'IMAGE', value: staged.staged),
            steps.string(name: 'TAGS', value: staged.tags.join(' ')),
        ])
        Map left = job.buildVariables
        // A controller that was not told its URL has none for a build either, and throws.
        String url = steps.env.JENKINS_URL ? job.absoluteUrl : ''
        String why = left.IMAGEGATE_MESSAGE ?: job.fullDisplayName + ' ended as ' + job.result
        String outcome = 'undecided'
        if (left.IMAGEGATE_VERDICT == 'stop') {
            outcome = 'stop'
        } else if (left.IMAGEGATE_VERDICT == 'pass' && left.IMAGEGATE_DIGEST != staged.digest) {
            why = job.fullDisplayName + ' did not promote ' + staged.digest
        } else if (left.IMAGEGATE_VERDICT == 'pass' && job.result == 'SUCCESS') {
            outcome = 'pass'
        }
        Map told = staged.delegated[outcome]
        String message = told.message + (outcome == 'pass' ? '' : ': ' + why + (url ? ', see ' + url : ''))
        Map result = staged + told + [outcome: outcome, message: message, promotionBuild: url]
        new Reports(steps).tell(result)
        return result
    }
}
