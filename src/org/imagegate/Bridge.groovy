package org.imagegate

import groovy.json.JsonOutput
import groovy.json.JsonSlurper

/**
 * The one way from a pipeline to the command: parameters in as a file, one run, one result back.
 *
 * Nothing of a parameter is ever part of a script. What a parameter must be, and what an outcome means, is decided by
 * the command. Everything here lives across steps, so everything is Serializable.
 */
class Bridge implements Serializable {
    private static final long serialVersionUID = 1

    private final Object steps

    /** steps: the global variable that a pipeline called. */
    Bridge(Object steps) {
        this.steps = steps
    }

    /** Runs a step of the catalogue, and lets the build go on, or end, as its result says. */
    Map run(String step, Object given) {
        return conclude(ask(step, given))
    }

    /**
     * Runs a step of the catalogue, publishes its reports, and returns its result, as `imagegate step` writes it.
     *
     * handed: what an earlier call of the step left for this one, by its plan. What keeps the command from running at
     * all fails the build. An abort passes through.
     */
    Map ask(String step, Object given, Map handed = [:]) {
        Map parameters = named(step, given)
        if (!steps.isUnix()) {
            steps.error('imagegate runs on Linux agents; this one is not')
        }
        // Within `dir` in a workspace, `pwd` would name a directory of the workspace.
        String folder = (steps.env.WORKSPACE_TMP ?: steps.pwd(tmp: true)) + '/imagegate-' + UUID.randomUUID()
        Reports reports = new Reports(steps)
        Map result = [:]
        try {
            result = execute(folder, step, parameters, handed)
            if (result.stash) {
                steps.dir(folder) { steps.stash(name: result.stash, includes: 'advisories.snapshot') }
            }
            reports.publish(result, folder + '/reports')
        } finally {
            remove(folder, reports)
        }
        return result
    }

    /** Returns a step's parameters. given: them, or all arguments of a step; what has no name says so. */
    Map named(String step, Object given) {
        if (given instanceof Map) {
            return (Map) given
        }
        List arguments = (List) given
        if (arguments[1] != null || !(arguments[0] instanceof Map)) {
            steps.error(step + ' takes its parameters by name, closures too, such as: ' + step + '(name: value)')
        }
        return (Map) arguments[0]
    }

    /** Lets the build go on, or end, as a result says. Anything but a pass and a stop is undecided. */
    Map conclude(Map result) {
        if (result.outcome == 'stop') {
            if (result.onStop == 'UNSTABLE') {
                steps.unstable('imagegate: ' + result.message)
            } else {
                steps.error('imagegate: ' + result.message)
            }
        } else if (result.outcome != 'pass') {
            steps.error('imagegate could not decide: ' + result.message)
        }
        return result
    }

    private void remove(String folder, Reports reports) {
        Closure removal = { steps.dir(folder) { steps.deleteDir() } }
        try {
            reports.attempt('removal of ' + folder, removal)
        } catch (Exception aborted) {
            // An abort that falls on the removal passes through after it.
            reports.attempt('removal of ' + folder, removal)
            throw aborted
        }
    }

    private Map execute(String folder, String step, Map parameters, Map handed) {
        Map catalogue = parse(steps.libraryResource('org/imagegate/steps.json'))
        write(folder, 'bootstrap.sh', steps.libraryResource('org/imagegate/bootstrap.sh'))
        write(folder, 'container.sh', steps.libraryResource('org/imagegate/container.sh'))
        Map request = [step: step, version: catalogue.version, keyless: keyless(parameters)]
        request.parameters = plain(parameters)
        if (handed) {
            request.handed = plain(handed)
        }
        if (handed.stash) {
            steps.dir(folder) { steps.unstash(handed.stash) }
        }
        write(folder, 'request.json', JsonOutput.toJson(request))
        return (Map) steps.withEnv(environment(folder, catalogue.version, parameters.install)) {
            bootstrap(folder)
            int status = withCredentials(bindings(catalogue, handed.bindings ?: step, parameters)) {
                // The script is the same for every step: what it is about is in the files.
                steps.sh(label: 'imagegate ' + step, returnStatus: true,
                    script: '#!/bin/sh\nexec sh "$IMAGEGATE_STEP/run.sh" step "$IMAGEGATE_STEP"')
            }
            return read(folder, status)
        }
    }

    private void bootstrap(String folder) {
        int status = steps.sh(label: 'imagegate: find or install the command', returnStatus: true,
            script: '#!/bin/sh\nexec sh "$IMAGEGATE_STEP/bootstrap.sh"')
        if (status != 0) {
            String file = folder + '/problem'
            String why = steps.fileExists(file) ? steps.readFile(file: file, encoding: 'UTF-8') : 'see the log above'
            steps.error('imagegate could not decide: the command is not on this agent: ' + why.trim())
        }
    }

    private Map read(String folder, int status) {
        String file = folder + '/result.json'
        if (!steps.fileExists(file)) {
            return [outcome: 'undecided', message: 'the command ended with code ' + status + ' and left no result']
        }
        String text = steps.readFile(file: file, encoding: 'UTF-8')
        Map result = [:]
        try {
            result = parse(text) ?: [:]
        } catch (Exception unreadable) {
            return [outcome: 'undecided', message: 'the command left no readable result: ' + unreadable.message]
        }
        if (result.exitCode != status) {
            return [outcome: 'undecided', message: 'the command ended with code ' + status + ', not as its result says']
        }
        return result
    }

    private List environment(String folder, String version, Object install) {
        String reference = steps.env.'library.imagegate.version' ?: ''
        String source = install ?: steps.env.IMAGEGATE_INSTALL ?: 'index'
        if (source.length() > 4096) {
            steps.error('imagegate could not decide: install has ' + source.length() + ' characters, more than 4096')
        }
        return [
            variable('IMAGEGATE_STEP', folder),
            variable('IMAGEGATE_VERSION', version),
            variable('IMAGEGATE_INSTALL', source),
            variable('IMAGEGATE_REF', reference),
        ]
    }

    /** withEnv expands `$NAME` in values; a doubled `$` stands for itself. */
    private String variable(String name, Object value) {
        return name + '=' + value.toString().replace('$', '$$')
    }

    /** Returns what is bound around the one call that needs it: what was named, else what the site names. */
    private List bindings(Map catalogue, String step, Map parameters) {
        Map wanted = catalogue.steps[step == 'gateImage' && keyless(parameters) ? 'gateImage, delegated' : step]
        List names = wanted.keySet() as List
        List bound = []
        for (int i = 0; i < names.size(); i++) {
            String fallback = wanted[names[i]]
            Object id = parameters[names[i]] ?: (fallback ? steps.env."${fallback}" : null)
            if (id) {
                bound << catalogue.bindings[names[i]] + [credentialsId: id.toString()]
            }
        }
        return bound
    }

    /** Says whether another job signs. An agent whose own variables say otherwise is refused by the command. */
    private boolean keyless(Map parameters) {
        return (parameters.promotion ?: steps.env.IMAGEGATE_PROMOTION) == 'delegated'
    }

    private Object withCredentials(List bound, Closure body) {
        return bound ? steps.withCredentials(bound, body) : body.call()
    }

    private void write(String folder, String name, String text) {
        steps.writeFile(file: folder + '/' + name, text: text, encoding: 'UTF-8')
    }

    /** The slurper's own maps cannot live across a step; JsonSlurperClassic, whose can, is not for sandboxed code. */
    private Map parse(String text) {
        return (Map) plain(new JsonSlurper().parseText(text))
    }

    /** Copies a value as JSON can say it; that a parameter is a closure is all that the command learns of it. */
    private Object plain(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Number) {
            return value
        }
        if (value instanceof Closure) {
            return [closure: true]
        }
        if (value instanceof Map) {
            List keys = value.keySet() as List
            Map copy = [:]
            for (int i = 0; i < keys.size(); i++) {
                copy[keys[i].toString()] = plain(value[keys[i]])
            }
            return copy
        }
        if (value instanceof Collection || value instanceof Object[]) {
            List items = value as List
            List copy = []
            for (int i = 0; i < items.size(); i++) {
                copy << plain(items[i])
            }
            return copy
        }
        return value.toString()
    }
}
