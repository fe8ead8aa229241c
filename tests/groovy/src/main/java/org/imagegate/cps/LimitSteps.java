package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.block;

import com.cloudbees.groovy.cps.Outcome;
import groovy.lang.Closure;
import hudson.AbortException;
import hudson.model.Result;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException;

/** Steps that run their body again, or stop it: retry and timeout. */
final class LimitSteps {
    private LimitSteps() {
    }

    static List<StepSpec> specs() {
        return List.of(
            block("retry", LimitSteps::retry, "count", "conditions"),
            block("timeout", LimitSteps::timeout, "time", "unit", "activity"));
    }

    private static void retry(StepRun run) {
        int count = run.number("count", 1);
        run.body(run.context, new Again(run.call.body, run.context, count - 1));
    }

    private static void timeout(StepRun run) {
        long milliseconds = BasicSteps.duration(run);
        run.log("Timeout set to expire in " + milliseconds / 1000.0 + " sec");
        int body = run.body(run.context);
        run.build.submit(() -> {
            try {
                TimeUnit.MILLISECONDS.sleep(milliseconds);
            } catch (InterruptedException ended) {
                return;
            }
            run.build.program().post(() -> expire(run, body));
        });
    }

    private static void expire(StepRun run, int body) {
        if (run.build.program().alive(body)) {
            run.log("Cancelling nested steps due to timeout");
            run.build.program().interrupt(body,
                new FlowInterruptedException(Result.ABORTED, true, "Timeout has been exceeded"));
        }
    }

    /** Runs the body again after a failure, until none is left; what a user stops is not tried again. */
    private record Again(Closure<?> body, StepContext context, int left) implements BodyCallback {
        @Override
        public void end(Build build, int thread, Outcome outcome) {
            Throwable problem = outcome.getAbnormal();
            boolean stopped = problem instanceof FlowInterruptedException interrupted
                && interrupted.isActualInterruption();
            if (problem == null || left <= 0 || stopped) {
                build.program().complete(thread, outcome);
                return;
            }
            build.log().line(context, problem instanceof AbortException
                ? "ERROR: " + problem.getMessage() : problem.toString());
            build.log().line(context, "Retrying");
            build.program().startBody(thread, body, context, new Again(body, context, left - 1));
        }
    }
}
