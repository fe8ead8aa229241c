package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.block;

import com.cloudbees.groovy.cps.Outcome;
import hudson.model.Result;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException;

/** Steps that run their body once, in a changed context. */
final class BlockSteps {
    static final String AGENT = "agent";

    private BlockSteps() {
    }

    static List<StepSpec> specs() {
        return List.of(
            block("node", BlockSteps::node, "label"),
            block("ws", BlockSteps::ws, "dir"),
            block("stage", BlockSteps::stage, "name", "concurrency"),
            block("dir", BlockSteps::dir, "path"),
            block("withEnv", BlockSteps::withEnv, "overrides"),
            block("lock", run -> run.body(run.context), "resource", "label", "quantity", "variable",
                "inversePrecedence"),
            block("script", run -> run.body(run.context)),
            block("timestamps", run -> run.body(run.context)),
            block("catchError", BlockSteps::catchError, "message", "buildResult", "stageResult", "catchInterruptions"),
            block("warnError", BlockSteps::warnError, "message", "catchInterruptions"));
    }

    private static void node(StepRun run) throws Exception {
        String workspace = run.build.farm().lease(run.build.info().job()).toString();
        run.log("Running on " + AGENT + " in " + workspace);
        run.body(run.context.withWorkspace(AGENT, workspace), new Release(workspace));
    }

    private static void ws(StepRun run) throws Exception {
        FileSteps.directory(run);
        Path wanted = run.build.scenario().root().resolve(run.text("dir"));
        String workspace = run.build.farm().leaseBelow(wanted).toString();
        run.log("Running in " + workspace);
        run.body(run.context.withWorkspace(AGENT, workspace), new Release(workspace));
    }

    private static void stage(StepRun run) {
        run.body(run.context.withStage(run.text("name")));
    }

    private static void dir(StepRun run) throws Exception {
        String path = FileSteps.resolve(run, run.text("path")).toString();
        run.log("Running in " + path);
        run.body(run.context.withDirectory(path));
    }

    private static void withEnv(StepRun run) {
        Map<String, String> values = new LinkedHashMap<>();
        for (Object element : (List<?>) run.get("overrides")) {
            String text = String.valueOf(element);
            int equals = text.indexOf('=');
            if (equals < 0) {
                throw new IllegalArgumentException(text);
            }
            values.put(text.substring(0, equals), text.substring(equals + 1));
        }
        run.body(run.context.withEnvironment(values, true));
    }

    private static void catchError(StepRun run) {
        run.body(run.context, new Caught(run.text("message", null),
            Result.fromString(run.text("buildResult", "FAILURE")), run.flag("catchInterruptions", true), run.context));
    }

    private static void warnError(StepRun run) {
        run.body(run.context, new Caught(run.text("message"), Result.UNSTABLE, run.flag("catchInterruptions", true),
            run.context));
    }

    /** Gives a workspace back when the body has ended. */
    private record Release(String workspace) implements BodyCallback {
        @Override
        public void end(Build build, int thread, Outcome outcome) {
            build.farm().release(workspace);
            build.program().complete(thread, outcome);
        }
    }

    /** Turns a failure of the body into a line of the log and a result of the build. */
    private record Caught(String message, Result result, boolean interruptions, StepContext context)
            implements BodyCallback {
        @Override
        public void end(Build build, int thread, Outcome outcome) {
            Throwable problem = outcome.getAbnormal();
            boolean stopped = problem instanceof FlowInterruptedException interrupted
                && interrupted.isActualInterruption();
            if (problem == null || stopped && !interruptions) {
                build.program().complete(thread, outcome);
                return;
            }
            if (message != null) {
                build.log().line(context, message);
            }
            build.log().line(context, "ERROR: " + problem.getMessage());
            Result given = problem instanceof FlowInterruptedException ? BuildEnd.result(problem) : result;
            if (given != Result.SUCCESS) {
                build.result().worsen(given);
            }
            build.program().complete(thread, new Outcome(null, null));
        }
    }
}
