package org.imagegate.cps;

import static org.imagegate.cps.StepSpec.plain;

import hudson.AbortException;
import hudson.model.Result;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** Steps without a body that need no files. */
final class BasicSteps {
    private BasicSteps() {
    }

    static List<StepSpec> specs() {
        return List.of(
            plain("echo", BasicSteps::echo, "message"),
            plain("error", run -> run.fail(new AbortException(run.text("message", ""))), "message"),
            plain("unstable", BasicSteps::unstable, "message"),
            plain("sleep", BasicSteps::sleep, "time", "unit"),
            plain("isUnix", run -> run.done(true)),
            plain("milestone", run -> run.done(null), "ordinal", "label"),
            plain("mail", BasicSteps::mail, "to", "subject", "body", "cc", "bcc", "from", "replyTo", "charset",
                "mimeType"),
            plain("properties", run -> run.done(null), "properties"));
    }

    private static void mail(StepRun run) {
        run.log("Sending mail to " + run.text("to") + ": " + run.text("subject"));
        run.done(null);
    }

    private static void echo(StepRun run) {
        run.log(run.text("message", "null"));
        run.done(null);
    }

    private static void unstable(StepRun run) {
        run.log("WARNING: " + run.text("message"));
        run.build.result().worsen(Result.UNSTABLE);
        run.done(null);
    }

    private static void sleep(StepRun run) {
        long milliseconds = duration(run);
        CountDownLatch stopped = new CountDownLatch(1);
        AtomicReference<Throwable> cause = new AtomicReference<>();
        run.background(() -> {
            if (stopped.await(milliseconds, TimeUnit.MILLISECONDS)) {
                throw (Exception) cause.get();
            }
            return null;
        }, why -> {
            cause.set(why);
            stopped.countDown();
        });
    }

    /** Gives the time that a step's arguments time and unit say, in milliseconds. */
    static long duration(StepRun run) {
        String unit = run.text("unit", run.call.name.equals("timeout") ? "MINUTES" : "SECONDS");
        double time = Double.parseDouble(run.text("time"));
        return (long) (time * TimeUnit.valueOf(unit).toMillis(1));
    }
}
