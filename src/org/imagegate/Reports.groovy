package org.imagegate

/** Shows a verdict in Jenkins: tests, warnings, a page, archived files, the build's description and a badge. */
class Reports implements Serializable {
    private static final long serialVersionUID = 1

    private final Object steps

    Reports(Object steps) {
        this.steps = steps
    }

    /** Publishes what a result names. folder: of the reports. A plugin that is absent costs one line of the log. */
    void publish(Map result, String folder) {
        if (result.publish) {
            steps.dir(folder) { publishFiles(result.reports) }
        }
        tell(result)
    }

    /** Tells how a result ended, beside the build. */
    void tell(Map result) {
        if (result.description) {
            describe(result.description)
        }
        if (result.badge) {
            attempt('badge, by Badge') { steps.addBadge(text: result.badge) }
        }
    }

    /** Does what is no part of the verdict: that it fails is said, and goes no further. An abort does. */
    void attempt(String what, Closure body) {
        try {
            body.call()
        } catch (NoSuchMethodError absent) {
            steps.echo('imagegate: no ' + what + ': the plugin is not installed')
        } catch (Exception failed) {
            if (failed.class.simpleName == 'FlowInterruptedException') {
                throw failed
            }
            steps.echo('imagegate: ' + what + ' failed: ' + failed.message)
        }
    }

    private void publishFiles(Map reports) {
        attempt('archived reports') { steps.archiveArtifacts(artifacts: reports.folder + '/**') }
        attempt('tests, by JUnit') { steps.junit(testResults: reports.junit) }
        if (reports.issues) {
            attempt('warnings, by Warnings Next Generation') {
                Object tool = steps.issues(pattern: reports.issues, id: reports.id, name: reports.name)
                steps.recordIssues(tools: [tool], enabledForFailure: true)
            }
        }
        attempt('page, by HTML Publisher') {
            steps.publishHTML(target: [reportName: reports.name, reportDir: reports.folder, reportFiles: 'report.html',
                keepAll: true, alwaysLinkToLastBuild: true, allowMissing: false])
        }
    }

    private void describe(String text) {
        String before = steps.currentBuild.description ?: ''
        if (!(before.split('; ') as List).contains(text)) {
            steps.currentBuild.description = before ? before + '; ' + text : text
        }
    }
}
