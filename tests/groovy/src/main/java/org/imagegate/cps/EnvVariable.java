package org.imagegate.cps;

import groovy.lang.GroovyObjectSupport;
import java.io.Serializable;
import java.util.Map;

/** The global variable {@code env}: reads the environment where the script is, sets variables of the build. */
public final class EnvVariable extends GroovyObjectSupport implements Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public Object getProperty(String name) {
        return Build.current().environment().get(name);
    }

    @Override
    public void setProperty(String name, Object value) {
        Build.current().info().setVariable(name, String.valueOf(value));
    }

    /** Gives what scripts have set, as on a controller. */
    @Whitelisted
    public Map<String, String> getEnvironment() {
        return Build.current().environment();
    }
}
