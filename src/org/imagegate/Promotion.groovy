package org.imagegate

/** Promotes an image: by this job, or by the one that holds the signing key. */
class Promotion implements Serializable {
    private static final long serialVersionUID = 1

    private final Object steps

    Promotion(Object steps) {
        this.steps = steps
    }

    /** Gates an image and returns the result. */
    Map gate(Object parameters) {
        Map result = new Bridge(steps).run('gateImage', parameters)
        return result.staged ? delegate(result) : result
    }

    /** Has the promotion job evaluate again, sign and tag what was staged. It is told a digest, and what to call it. */
    private Map delegate(Map staged) {
        Object job = steps.build(job: staged.promotionJob, wait: true, propagate: false, parameters: [
            steps.string(name: 'IMAGE', value: staged.staged),
            steps.string(name: 'TAGS', value: staged.tags.join(' ')),
        ])
        String verdict = job.buildVariables.IMAGEGATE_VERDICT
        // A controller that was not told its URL has none for a build either, and throws.
        String url = steps.env.JENKINS_URL ? job.absoluteUrl : ''
        Map result = staged + [promotionBuild: url]
        boolean same = job.buildVariables.IMAGEGATE_DIGEST == staged.digest
        if (verdict == 'pass' && job.result == 'SUCCESS' && same) {
            return result
        }
        String why = job.fullDisplayName + ' ended as ' + job.result + (url ? ', see ' + url : '')
        if (verdict == 'pass' && !same) {
            why = job.fullDisplayName + ' did not promote ' + staged.digest
        }
        return new Bridge(steps).conclude(result + [outcome: verdict == 'stop' ? 'stop' : 'undecided', message: why])
    }
}
