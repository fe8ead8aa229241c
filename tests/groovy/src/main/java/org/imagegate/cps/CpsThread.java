package org.imagegate.cps;

import com.cloudbees.groovy.cps.Continuable;
import com.cloudbees.groovy.cps.Outcome;
import java.io.Serializable;

/** One line of execution of a program: the Jenkinsfile itself, or the body of a step. */
final class CpsThread implements Serializable {
    private static final long serialVersionUID = 1L;

    final int id;
    /** The thread whose step this one is the body of; 0 for the Jenkinsfile's own. */
    final int parent;
    final StepContext context;
    /** Is told how the body ended; null for the Jenkinsfile's own thread. */
    final BodyCallback callback;
    final Continuable program;
    /** What the program is to be resumed with; null while a step of it is under way. */
    Outcome pending = new Outcome(null, null);
    /** The step that the program has called and that has not begun, or null. */
    StepCall call;

    CpsThread(int id, int parent, StepContext context, BodyCallback callback, Continuable program) {
        this.id = id;
        this.parent = parent;
        this.context = context;
        this.callback = callback;
        this.program = program;
    }
}
