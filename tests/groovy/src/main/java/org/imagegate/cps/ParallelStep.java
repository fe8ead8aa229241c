package org.imagegate.cps;

import com.cloudbees.groovy.cps.Outcome;
import groovy.lang.Closure;
import hudson.model.Result;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException;

/** The step that runs closures beside each other. */
final class ParallelStep {
    private ParallelStep() {
    }

    static StepSpec spec() {
        return new StepSpec("parallel", null, null, false, ParallelStep::start);
    }

    private static void start(StepRun run) {
        Map<String, Closure<?>> branches = run.call.closures;
        for (String name : run.call.arguments.keySet()) {
            if (!name.equals("failFast")) {
                throw new IllegalArgumentException("Expected a closure or failFast but found " + name + "="
                    + run.get(name));
            }
        }
        if (branches.isEmpty()) {
            run.done(new LinkedHashMap<>());
            return;
        }
        Branches all = new Branches(branches.size(), run.flag("failFast", false));
        List<String> names = new ArrayList<>(branches.keySet());
        for (String name : names) {
            StepContext inside = run.context.withBranch(name);
            int id = run.body(branches.get(name), inside, new Branch(all, name, inside));
            all.threads.add(id);
        }
    }

    /** What the branches of one call share. */
    private static final class Branches implements Serializable {
        private static final long serialVersionUID = 1L;

        private final boolean failFast;
        private final ArrayList<Integer> threads = new ArrayList<>();
        private final LinkedHashMap<String, Object> values = new LinkedHashMap<>();
        private int left;
        private Throwable failure;

        Branches(int count, boolean failFast) {
            this.left = count;
            this.failFast = failFast;
        }
    }

    /** Notes how a branch ended; the last one ends the step. */
    private record Branch(Branches all, String name, StepContext context) implements BodyCallback {
        @Override
        public void end(Build build, int thread, Outcome outcome) {
            Throwable problem = outcome.getAbnormal();
            all.values.put(name, outcome.getNormal());
            if (problem != null) {
                build.log().line(context, "Failed in branch " + name);
                failed(build, problem);
            }
            if (--all.left == 0) {
                build.program().complete(thread, all.failure == null
                    ? new Outcome(all.values, null) : new Outcome(null, all.failure));
            }
        }

        private void failed(Build build, Throwable problem) {
            if (all.failure != null) {
                return;
            }
            all.failure = problem;
            if (all.failFast) {
                FlowInterruptedException cause = new FlowInterruptedException(Result.ABORTED, true,
                    "Failed in branch " + name);
                all.threads.forEach(other -> build.program().interrupt(other, cause));
            }
        }
    }
}
