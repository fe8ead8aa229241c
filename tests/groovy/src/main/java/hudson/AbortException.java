package hudson;

import java.io.IOException;

/**
 * Stands in for the controller's class of that name: a failure whose message says all there is to say,
 * so that the log shows it without a stack trace.
 */
public class AbortException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Makes a failure with that message. */
    public AbortException(String message) {
        super(message);
    }
}
