package org.imagegate.cps

/** Runs Declarative pipelines by means of the same steps that a scripted one would call. */
class DeclarativeRunner implements Serializable {
    private static final long serialVersionUID = 1L

    private final Object script
    private final DeclarativeScope scope
    private final DeclarativePost post
    private DeclarativeAgent agents
    private boolean failFast

    /** Makes one that calls steps on that script. */
    DeclarativeRunner(Object script) {
        this.script = script
        this.scope = new DeclarativeScope(script)
        this.post = new DeclarativePost(script)
    }

    /** Runs a whole pipeline. */
    void pipeline(Closure body) {
        DeclarativeModel model = DeclarativeModel.of(body)
        parameters(model.first('parameters'))
        DeclarativeModel options = section(model, 'options')
        agents = new DeclarativeAgent(script, skips(options))
        failFast = options.call('parallelsAlwaysFailFast') != null
        scope.limited(options) {
            agents.agent(model.first('agent')) {
                scope.environment(model.first('environment')) {
                    post.posted(model.first('post')) {
                        stages(model.first('stages'))
                    }
                }
            }
        }
    }

    private void parameters(Closure section) {
        if (section == null) {
            return
        }
        ArrayList<List> all = DeclarativeModel.of(section).everything()
        for (int i = 0; i < all.size(); i++) {
            Map parameter = all[i][1][0]
            Object value = parameter.defaultValue
            if (all[i][0] == 'choice' && parameter.choices) {
                value = parameter.choices instanceof List ? parameter.choices[0] : parameter.choices.readLines()[0]
            }
            DeclarativeSupport.defaultParameter(parameter.name, value)
        }
    }

    private static DeclarativeModel section(DeclarativeModel model, String name) {
        Closure body = model.first(name)
        return body == null ? new DeclarativeModel() : DeclarativeModel.of(body)
    }

    private static boolean skips(DeclarativeModel options) {
        return options.call('skipDefaultCheckout') != null && options.first('skipDefaultCheckout') != false
    }

    private void stages(Closure section) {
        ArrayList<List> all = DeclarativeModel.of(section).all('stage')
        for (int i = 0; i < all.size(); i++) {
            stage(all[i][0], all[i][1])
        }
    }

    private void stage(String name, Closure body) {
        DeclarativeModel model = DeclarativeModel.of(body)
        script.stage(name) {
            Closure condition = model.first('when')
            boolean early = condition != null && DeclarativeModel.of(condition).first('beforeAgent') == true
            if (early && !new DeclarativeWhen(script).holds(condition)) {
                skipped(name)
            } else {
                scope.limited(section(model, 'options')) {
                    agents.agent(model.first('agent')) {
                        scope.environment(model.first('environment')) {
                            if (condition != null && !early && !new DeclarativeWhen(script).holds(condition)) {
                                skipped(name)
                            } else {
                                post.posted(model.first('post')) {
                                    content(model)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private void skipped(String name) {
        script.echo("Stage \"${name}\" skipped due to when conditional")
    }

    private void content(DeclarativeModel model) {
        boolean fast = failFast || model.first('failFast') == true
        if (model.first('steps') != null) {
            model.first('steps').call()
        } else if (model.first('stages') != null) {
            stages(model.first('stages'))
        } else if (model.first('parallel') != null) {
            parallel(DeclarativeModel.of(model.first('parallel')).all('stage'), fast)
        } else if (model.first('matrix') != null) {
            matrix(DeclarativeModel.of(model.first('matrix')), fast)
        } else {
            throw new IllegalArgumentException('Expected one of "steps", "stages", "parallel" or "matrix" in a stage')
        }
    }

    private void parallel(ArrayList<List> all, boolean fast) {
        Map branches = [:]
        for (int i = 0; i < all.size(); i++) {
            String name = all[i][0]
            Closure body = all[i][1]
            branches[name] = { -> stage(name, body) }
        }
        branches.failFast = fast
        script.parallel(branches)
    }

    private void matrix(DeclarativeModel model, boolean fast) {
        List cells = [[]]
        ArrayList<List> axes = DeclarativeModel.of(model.first('axes')).all('axis')
        for (int i = 0; i < axes.size(); i++) {
            DeclarativeModel axis = DeclarativeModel.of(axes[i][0])
            List longer = []
            for (int j = 0; j < cells.size(); j++) {
                List values = axis.call('values')
                for (int k = 0; k < values.size(); k++) {
                    longer << (cells[j] + ["${axis.first('name')}=${values[k]}".toString()])
                }
            }
            cells = longer
        }
        Map branches = [:]
        for (int i = 0; i < cells.size(); i++) {
            List variables = cells[i]
            branches['Matrix - ' + title(variables)] = { -> cell(model, variables) }
        }
        branches.failFast = fast
        script.parallel(branches)
    }

    @NonCPS
    private static String title(List<String> cell) {
        return cell.collect { it.replaceFirst('=', " = '") + "'" }.join(', ')
    }

    private void cell(DeclarativeModel model, List<String> variables) {
        script.withEnv(variables) {
            agents.agent(model.first('agent')) {
                scope.environment(model.first('environment')) {
                    post.posted(model.first('post')) {
                        stages(model.first('stages'))
                    }
                }
            }
        }
    }
}
