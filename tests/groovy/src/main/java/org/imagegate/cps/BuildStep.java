package org.imagegate.cps;

import hudson.AbortException;
import hudson.model.Result;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException;
import org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper;

/** The step {@code build}: runs another job of the scenario. */
final class BuildStep {
    private BuildStep() {
    }

    static StepSpec spec() {
        return StepSpec.plain("build", BuildStep::start, "job", "parameters", "wait", "propagate", "quietPeriod",
            "waitForStart");
    }

    private static void start(StepRun run) throws Exception {
        String job = run.text("job");
        String name = job.startsWith("/") ? job.substring(1) : job;
        Scenario scenario = run.build.scenario().job(name, parameters(run));
        if (scenario == null) {
            throw new AbortException("No item named " + job + " found");
        }
        Build other = new Build(scenario, run.build.farm());
        run.log("Scheduling project: " + name);
        if (!run.flag("wait", true)) {
            run.build.lasting(() -> runQuietly(run, other));
            run.done(null);
            return;
        }
        run.background(() -> {
            BuildResult result = other.run();
            run.build.result().add("builds", result.keys());
            return ended(run, other);
        }, other::abort);
    }

    private static void runQuietly(StepRun run, Build other) {
        try {
            run.build.result().add("builds", other.run().keys());
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private static Object ended(StepRun run, Build other) throws FlowInterruptedException {
        BuildFacts facts = other.facts();
        RunWrapper wrapper = new RunWrapper(new RunView.Ended(facts));
        String sentence = wrapper.getFullDisplayName() + " completed with status " + facts.result();
        if (facts.result().equals(Result.SUCCESS.toString()) || !run.flag("propagate", true)) {
            run.log("Build " + wrapper.getFullDisplayName() + " completed: " + facts.result());
            return wrapper;
        }
        throw new FlowInterruptedException(Result.fromString(facts.result()), false,
            sentence + " (propagate: false to ignore)");
    }

    private static Map<String, Object> parameters(StepRun run) {
        Map<String, Object> parameters = new LinkedHashMap<>();
        if (run.get("parameters") instanceof List<?> list) {
            for (Object element : list) {
                Symbol parameter = Symbol.from(element);
                parameters.put(parameter.text("name"), parameter.arguments.get("value"));
            }
        }
        return parameters;
    }
}
