package org.imagegate.cps;

import com.cloudbees.groovy.cps.Outcome;
import hudson.AbortException;
import hudson.model.Result;
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException;

/** Says at the end of a build how it went. */
final class BuildEnd {
    private static final int FRAMES = 25;

    private final Build build;

    BuildEnd(Build build) {
        this.build = build;
    }

    /** Gives the result that an exception gives a build. */
    static Result result(Throwable problem) {
        return problem instanceof FlowInterruptedException interrupted ? interrupted.getResult() : Result.FAILURE;
    }

    /** Sets result, error and log from how the program ended. */
    void finish(Outcome outcome) {
        BuildResult said = build.result();
        Throwable problem = outcome.getAbnormal();
        if (problem != null) {
            said.worsen(result(problem));
            said.put("error", problem.getMessage());
            said.put("errorClass", problem.getClass().getName());
            log(problem);
        }
        said.worsen(Result.SUCCESS);
        build.log().add("Finished: " + said.result());
        said.put("result", said.result().toString());
        said.put("displayName", build.facts().displayName());
        said.put("log", build.log().lines());
    }

    private void log(Throwable problem) {
        if (problem instanceof AbortException) {
            build.log().add("ERROR: " + problem.getMessage());
            return;
        }
        for (String line : problem.toString().split("\n")) {
            build.log().add(line);
        }
        if (problem instanceof FlowInterruptedException) {
            return;
        }
        StackTraceElement[] frames = problem.getStackTrace();
        for (int i = 0; i < Math.min(FRAMES, frames.length); i++) {
            build.log().add("\tat " + frames[i]);
        }
        if (problem.getCause() != null && problem.getCause() != problem) {
            build.log().add("Caused by: " + problem.getCause());
        }
    }
}
