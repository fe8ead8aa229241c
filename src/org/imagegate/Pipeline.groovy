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
        } finally {
            if (parameters.after) {
                parameters.after.call(results)
            }
        }
        return results
    }

    private void inOrder(List images, Map parameters, Map results) {
        for (int i = 0; i < images.size(); i++) {
            results[images[i].name] = one(images[i], parameters)
        }
    }

    private void atOnce(List images, Map parameters, Map results) {
        Map branches = [:]
        for (int i = 0; i < images.size(); i++) {
            Map image = images[i]
            branches[image.name] = { results[image.name] = one(image, parameters) }
        }
        steps.parallel(branches)
    }

    private Map one(Map image, Map parameters) {
        Map built = [:]
        Map result = [:]
        steps.stage('Build ' + image.name) {
            built = new Bridge(steps).run(image.build.step, image.build.parameters)
        }
        if (parameters.test) {
            steps.stage('Test ' + image.name) { parameters.test.call(built) }
        }
        steps.stage('Gate ' + image.name) {
            Map wanted = image.gate.parameters + [image: built.image]
            result = image.gate.step == 'gateImage' ? new Promotion(steps).gate(wanted)
                : new Bridge(steps).run(image.gate.step, wanted)
        }
        return result
    }
}
