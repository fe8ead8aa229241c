package org.imagegate.cps;

import com.cloudbees.groovy.cps.Continuable;
import groovy.lang.GroovyObjectSupport;
import java.io.Serializable;

/** The global variable {@code steps}: each method called on it is a step, or a symbol that steps take. */
public final class StepsVariable extends GroovyObjectSupport implements Serializable {
    private static final long serialVersionUID = 1L;

    /**
     * Calls a step: the running program is suspended with the call as what it yields, and the value of the
     * step is what it is resumed with. A symbol is a plain value and gives no suspension.
     */
    @Override
    public Object invokeMethod(String name, Object arguments) {
        Build build = Build.current();
        StepSpec spec = build.steps().step(name);
        Object[] given = arguments instanceof Object[] array ? array : new Object[] {arguments};
        if (spec != null) {
            return Continuable.suspend(name, StepCall.of(spec, given));
        }
        if (build.steps().symbol(name)) {
            return Symbol.of(name, given);
        }
        throw new NoSuchMethodError("No such DSL method '" + name + "' found among steps "
            + build.steps().stepNames() + " or symbols " + build.steps().symbolNames()
            + " or globals " + build.globals().names());
    }
}
