package org.imagegate.cps;

import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What is known of a step: its name, the parameters it takes and what starts it.
 *
 * @param name       how pipelines call it
 * @param sole       the parameter that a lone positional argument is for, or null
 * @param parameters all parameters; null where any name goes (parallel)
 * @param block      whether it takes a body
 * @param action     what starts it
 */
record StepSpec(String name, String sole, Set<String> parameters, boolean block, Action action) {
    /** Starts a step; ends or fails the run, at once or later. What it throws fails the run. */
    @FunctionalInterface
    interface Action {
        void start(StepRun run) throws Exception;
    }

    /** Makes a step without a body; the first of the parameters is the sole one. */
    static StepSpec plain(String name, Action action, String... parameters) {
        return of(name, false, action, parameters);
    }

    /** Makes a step with a body; the first of the parameters is the sole one. */
    static StepSpec block(String name, Action action, String... parameters) {
        return of(name, true, action, parameters);
    }

    private static StepSpec of(String name, boolean block, Action action, String... parameters) {
        List<String> list = Arrays.asList(parameters);
        return new StepSpec(name, list.isEmpty() ? null : list.get(0), new LinkedHashSet<>(list), block, action);
    }
}
