package org.imagegate.cps

/** Allocates what an agent directive asks for. */
class DeclarativeAgent implements Serializable {
    private static final long serialVersionUID = 1L

    private final Object script
    private final boolean skipCheckout

    DeclarativeAgent(Object script, boolean skipCheckout) {
        this.script = script
        this.skipCheckout = skipCheckout
    }

    /** Runs the body where the directive (any, none, null or a section) says. */
    void agent(Object wanted, Closure body) {
        if (wanted == null || wanted == 'none') {
            body()
        } else if (wanted == 'any') {
            node(null, body)
        } else {
            DeclarativeModel model = DeclarativeModel.of(wanted)
            if (model.call('kubernetes') != null) {
                kubernetes(model, body)
            } else if (model.call('docker') != null) {
                docker(model, body)
            } else if (model.call('node') != null) {
                node(DeclarativeModel.of(model.first('node')).first('label'), body)
            } else if (model.call('label') != null) {
                node(model.first('label'), body)
            } else {
                throw new IllegalArgumentException('Invalid agent type')
            }
        }
    }

    private void node(Object label, Closure body) {
        script.node(label) {
            if (DeclarativeSupport.hasScm() && !skipCheckout) {
                script.stage('Declarative: Checkout SCM') {
                    script.checkout(script.scm)
                }
            }
            body()
        }
    }

    private void kubernetes(DeclarativeModel model, Closure body) {
        Map arguments = [:]
        String container = null
        if (model.first('kubernetes') instanceof Closure) {
            ArrayList<List> given = DeclarativeModel.of(model.first('kubernetes')).everything()
            for (int i = 0; i < given.size(); i++) {
                if (given[i][0] == 'defaultContainer') {
                    container = given[i][1][0]
                } else {
                    arguments[given[i][0]] = given[i][1][0]
                }
            }
        }
        script.podTemplate(arguments) {
            node(script.env.POD_LABEL) {
                if (container != null) {
                    script.container(container) {
                        body()
                    }
                } else {
                    body()
                }
            }
        }
    }

    private void docker(DeclarativeModel model, Closure body) {
        Object given = model.first('docker')
        DeclarativeModel details = given instanceof Closure ? DeclarativeModel.of(given) : null
        String image = details == null ? given : details.first('image')
        String args = details == null ? null : details.first('args')
        if (details != null && details.first('reuseNode')) {
            script.withDockerContainer(image: image, args: args) {
                body()
            }
        } else {
            node(details == null ? null : details.first('label')) {
                script.withDockerContainer(image: image, args: args) {
                    body()
                }
            }
        }
    }
}
