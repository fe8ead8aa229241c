package org.jenkinsci.plugins.workflow.steps;

import hudson.model.Result;
import org.imagegate.cps.Whitelisted;

/**
 * Stands in for the controller's class of that name: what comes out of a step that a user, a time limit
 * or another branch has stopped, and out of {@code build} when the other build went wrong.
 */
public final class FlowInterruptedException extends InterruptedException {
    private static final long serialVersionUID = 1L;

    private final Result result;
    private final boolean actual;

    /**
     * Makes one that gives the build that result.
     *
     * @param actual whether something was stopped; not so where another build went wrong
     * @param cause  a sentence for the log
     */
    public FlowInterruptedException(Result result, boolean actual, String cause) {
        super(cause);
        this.result = result;
        this.actual = actual;
    }

    /** Tells whether something was stopped. */
    @Whitelisted
    public boolean isActualInterruption() {
        return actual;
    }

    /** Gives the result that the build is to have. */
    @Whitelisted
    public Result getResult() {
        return result;
    }
}
