package org.imagegate

/** The whole flow of `imagePipeline`. What is done for each image is the command's plan; this follows it. */
class Pipeline implements Serializable {
    private static final long serialVersionUID = 1

    private final Object steps

    Pipeline(Object steps) {
        this.steps = steps
    }

    /** Runs on the agent that the pipeline is on, else takes one. Returns the results by the images' names. */
    Map run(Object given) {
        Map parameters = new Bridge(steps).named('imagePipeline', given)
        if (steps.env.WORKSPACE) {
            return onAgent(parameters, parameters.checkout == true)
        }
        Map results = [:]
        steps.node((parameters.agent ?: '').toString()) {
            results = onAgent(parameters, parameters.checkout != false)
        }
        return results
    }

    private Map onAgent(Map parameters, boolean checkout) {
        Map planned = new Bridge(steps).run('imagePipeline', parameters)
        Map results = [:]
        boolean whole = false
        try {
            if (checkout) {
                steps.stage('Checkout') { steps.checkout(steps.scm) }
            }
            if (parameters.before) {
                parameters.before.call()
            }
            if (planned.inParallel) {
                atOnce(planned.plan, parameters, results)
            } else {
                inOrder(planned.plan, parameters, results)
            }
            whole = true
        } finally {
            if (parameters.after) {
                finish(parameters.after, results, whole)
            }
        }
        return results
    }

    /** Calls `after`. whole: whether nothing failed before; otherwise that is what the build ends by, not this. */
    private void finish(Object after, Map results, boolean whole) {
        if (whole) {
            after.call(results)
            return
        }
        try {
            after.call(results)
        } catch (Exception | NoSuchMethodError failed) {
            if (failed.class.simpleName == 'FlowInterruptedException') {
                throw failed
            }
            steps.echo('imagegate: after failed as well: ' + failed)
        }
    }

    private void inOrder(List images, Map parameters, Map results) {
        for (int i = 0; i < images.size(); i++) {
            one(images[i], parameters, results)
        }
    }

    private void atOnce(List images, Map parameters, Map results) {
        Map branches = [:]
        for (int i = 0; i < images.size(); i++) {
            Map image = images[i]
            branches[image.name] = { one(image, parameters, results) }
        }
        steps.parallel(branches)
    }

    private void one(Map image, Map parameters, Map results) {
        Bridge bridge = new Bridge(steps)
        Map built = [:]
        steps.stage('Build ' + image.name) {
            built = bridge.ask(image.build.step, image.build.parameters)
            if (built.outcome != 'pass') {
                results[image.name] = built
            }
            bridge.conclude(built)
        }
        if (built.outcome != 'pass') {
            return
        }
        if (parameters.test) {
            steps.stage('Test ' + image.name) { parameters.test.call(built) }
        }
        steps.stage('Gate ' + image.name) {
            Map wanted = image.gate.parameters + [image: built.image]
            Map result = image.gate.step == 'gateImage' ? new Promotion(steps).ask(wanted)
                : bridge.ask(image.gate.step, wanted)
            results[image.name] = result
            bridge.conclude(result)
        }
    }
}
