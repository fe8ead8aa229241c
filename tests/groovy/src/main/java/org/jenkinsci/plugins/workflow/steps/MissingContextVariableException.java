package org.jenkinsci.plugins.workflow.steps;

/** Stands in for the controller's class of that name: a step that needs a node was called outside of one. */
public final class MissingContextVariableException extends Exception {
    private static final long serialVersionUID = 1L;

    /** Makes one for the step of that name. */
    public MissingContextVariableException(String step) {
        super("Required context class hudson.FilePath is missing\nPerhaps you forgot to surround the " + step
            + " step with a step that provides this, such as: node");
    }
}
