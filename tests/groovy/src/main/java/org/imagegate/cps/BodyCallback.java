package org.imagegate.cps;

import com.cloudbees.groovy.cps.Outcome;
import java.io.Serializable;

/** What a step does when its body has ended. Is part of the program's state. */
@FunctionalInterface
interface BodyCallback extends Serializable {
    /** Makes the body's outcome the step's. */
    BodyCallback PASS = new Pass();

    /**
     * Is called when the body has ended.
     *
     * @param build   the build it belongs to
     * @param thread  the thread that called the step
     * @param outcome value or exception of the body
     */
    void end(Build build, int thread, Outcome outcome);

    /** The class of {@link #PASS}. */
    final class Pass implements BodyCallback {
        private static final long serialVersionUID = 1L;

        @Override
        public void end(Build build, int thread, Outcome outcome) {
            build.program().complete(thread, outcome);
        }
    }
}
