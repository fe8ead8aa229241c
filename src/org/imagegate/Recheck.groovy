package org.imagegate

/** The flow of `recheckImages`. Whether there are shards, and what each does, is the command's plan. */
class Recheck implements Serializable {
    private static final long serialVersionUID = 1

    private final Object steps

    Recheck(Object steps) {
        this.steps = steps
    }

    /**
     * Re-checks, and lets the build go on, or end, as the result says.
     *
     * Outside of an agent it takes one for each part, and keeps none while shards run: one executor is enough.
     */
    Map run(Object given) {
        Bridge bridge = new Bridge(steps)
        Map parameters = bridge.named('recheckImages', given)
        boolean stays = steps.env.WORKSPACE ? true : false
        String label = parameters.agent ?: ''
        Map result = (Map) on(stays, label) { bridge.ask('recheckImages', parameters) }
        if (result.fanOut) {
            Map ended = atOnce(result.fanOut.shards, stays, label)
            Map last = result.fanOut.report
            result = (Map) on(stays, label) {
                bridge.ask('recheckImages', last.parameters, last.handed + [ended: ended])
            }
        }
        return bridge.conclude(result)
    }

    /** Does the shards, the first of them on the agent that the pipeline is on. Returns how each ended, by its name. */
    private Map atOnce(List shards, boolean stays, String label) {
        Map ended = [:]
        Map branches = [:]
        for (int i = 0; i < shards.size(); i++) {
            Map shard = shards[i]
            boolean here = stays && i == 0
            branches['shard ' + shard.name] = { one(shard, here, label, ended) }
        }
        steps.parallel(branches)
        return ended
    }

    /** Does a shard, and again where it or its agent fails. The report tells one that fails twice. An abort passes. */
    private void one(Map shard, boolean here, String label, Map ended) {
        steps.catchError(buildResult: 'SUCCESS', stageResult: 'FAILURE', catchInterruptions: false) {
            steps.retry(2) {
                on(here, label) {
                    Map result = new Bridge(steps).ask('recheckImages', shard.parameters, shard.handed)
                    ended[shard.name] = [done: result.done == true, message: result.message,
                        problems: result.problems ?: []]
                    if (!result.done) {
                        steps.error('imagegate: shard ' + shard.name + ' is not done: ' + result.message)
                    }
                }
            }
        }
    }

    private Object on(boolean here, String label, Closure body) {
        return here ? body.call() : steps.node(label, body)
    }
}
