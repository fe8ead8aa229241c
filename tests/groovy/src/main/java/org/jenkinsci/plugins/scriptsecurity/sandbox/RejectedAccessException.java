package org.jenkinsci.plugins.scriptsecurity.sandbox;

/** Stands in for the controller's class of that name: the sandbox has refused an access. */
public final class RejectedAccessException extends SecurityException {
    private static final long serialVersionUID = 1L;

    private final String signature;

    /**
     * Makes one that says what may not be done.
     *
     * @param sentence  the message
     * @param signature the line that would have to be approved, or null where there is none
     */
    public RejectedAccessException(String sentence, String signature) {
        super(sentence);
        this.signature = signature;
    }

    /** Gives the line that would have to be approved, or null. */
    public String getSignature() {
        return signature;
    }
}
