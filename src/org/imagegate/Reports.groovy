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
        if (result.description) {
            describe(result.description)
        }
        if (result.badge) {
            optional('badge', 'a badge') { steps.addBadge(text: 'gate: ' + result.badge) }
        }
    }

    private void publishFiles(Map reports) {
        steps.archiveArtifacts(artifacts: reports.folder + '/**')
        optional('junit', 'tests') { steps.junit(testResults: reports.junit) }
        optional('warnings-ng', 'warnings') {
            Object tool = steps.issues(pattern: reports.issues, id: reports.id, name: reports.name)
            steps.recordIssues(tools: [tool], enabledForFailure: true)
        }
        optional('htmlpublisher', 'a page') {
            steps.publishHTML(target: [reportName: reports.name, reportDir: reports.folder, reportFiles: 'report.html',
                keepAll: true, alwaysLinkToLastBuild: true, allowMissing: false])
        }
    }

    private void describe(String text) {
        String before = steps.currentBuild.description ?: ''
        if (!before.contains(text)) {
            steps.currentBuild.description = before ? before + ' · ' + text : text
        }
    }

    private void optional(String plugin, String what, Closure body) {
        try {
            body.call()
        } catch (NoSuchMethodError absent) {
            steps.echo('imagegate: no ' + what + ' in Jenkins, for the plugin ' + plugin + ' is not installed')
        }
    }
}
