package org.imagegate.cps;

import com.cloudbees.groovy.cps.SerializableScript;
import com.cloudbees.groovy.cps.impl.CpsClosure;
import groovy.lang.MissingPropertyException;
import java.io.ObjectStreamException;
import org.codehaus.groovy.runtime.InvokerHelper;

/**
 * The base class of the Jenkinsfile and of the scripts in vars: looks up names as a controller does
 * (binding, then global variables, then the environment) and turns unknown methods into steps.
 */
public abstract class PipelineScript extends SerializableScript {
    private static final long serialVersionUID = 1L;
    private static final String STEPS = "steps";

    private transient Build build;

    /** Is called when the script is instantiated; the build is the one that this thread runs, if any. */
    @Whitelisted
    protected PipelineScript() {
        attach();
        getBinding().setVariable(STEPS, new StepsVariable());
    }

    private void attach() {
        build = Build.current();
    }

    /** Gives the running build; null while fields are initialised outside of one. */
    final Build build() {
        return build;
    }

    @Override
    public final Object invokeMethod(String name, Object arguments) {
        if (getBinding().hasVariable(name) && getBinding().getVariable(name) instanceof CpsClosure closure) {
            return closure.call((Object[]) arguments);
        }
        if (build.globals().has(name)) {
            Object value = build.globals().value(name, this);
            return InvokerHelper.getMetaClass(value).invokeMethod(value, "call", arguments);
        }
        return ((StepsVariable) getBinding().getVariable(STEPS)).invokeMethod(name, arguments);
    }

    @Override
    public Object getProperty(String property) {
        try {
            return super.getProperty(property);
        } catch (MissingPropertyException missing) {
            if (build != null && build.globals().has(property)) {
                return build.globals().value(property, this);
            }
            String value = build == null ? null : build.environment().get(property);
            if (value != null) {
                return value;
            }
            throw missing;
        }
    }

    @Override
    public void println() {
        invokeMethod("echo", new Object[] {""});
    }

    @Override
    public void print(Object value) {
        println(value);
    }

    @Override
    public void println(Object value) {
        invokeMethod("echo", new Object[] {String.valueOf(value)});
    }

    @Override
    public void printf(String format, Object value) {
        println(String.format(format, value));
    }

    @Override
    public void printf(String format, Object[] values) {
        println(String.format(format, values));
    }

    /** Makes {@code sleep 5} the step: Groovy would otherwise find its own method of that name first. */
    @Whitelisted
    public Object sleep(long time) {
        return invokeMethod("sleep", new Object[] {time});
    }

    /** Is called after a restart; not private, because the classes that are read are subclasses. */
    protected Object readResolve() throws ObjectStreamException {
        attach();
        return this;
    }
}
