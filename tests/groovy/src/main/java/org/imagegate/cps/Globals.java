package org.imagegate.cps;

import groovy.lang.Binding;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.jenkinsci.plugins.workflow.support.steps.build.RunWrapper;

/** The global variables of a build: the controller's, the plugins' and the library's. */
final class Globals {
    private final Build build;
    private final Map<String, Supplier<Object>> makers = new LinkedHashMap<>();
    private final Set<String> scripts = new TreeSet<>();

    /** Makes those of a controller. */
    Globals(Build build) {
        this.build = build;
        makers.put("env", EnvVariable::new);
        makers.put("params", () -> Collections.unmodifiableMap(new LinkedHashMap<>(build.info().parameters())));
        makers.put("currentBuild", () -> new RunWrapper(new RunView.Current()));
        makers.put("scm", this::scm);
    }

    /** Adds variables that are each an instance of the script class of the same name. */
    void addScripts(Set<String> names) {
        scripts.addAll(names);
    }

    Set<String> names() {
        Set<String> names = new TreeSet<>(makers.keySet());
        names.addAll(scripts);
        return names;
    }

    boolean has(String name) {
        return makers.containsKey(name) || scripts.contains(name);
    }

    /**
     * Gives the value of a variable that there is. An instance of a script is made once for each script that
     * uses it and kept in that one's binding: a controller does the same, so fields are not shared between,
     * say, the Jenkinsfile and another variable of the library.
     */
    Object value(String name, PipelineScript user) {
        if (makers.containsKey(name)) {
            return makers.get(name).get();
        }
        Binding binding = user.getBinding();
        if (!binding.hasVariable(name)) {
            binding.setVariable(name, build.program().instance(name));
        }
        return binding.getVariable(name);
    }

    private Object scm() {
        if (build.scenario().scm() == null) {
            throw new IllegalStateException("‘checkout scm’ is only available when using “Multibranch Pipeline”"
                + " or “Pipeline script from SCM”");
        }
        return Symbol.of("scm", new Object[0]);
    }
}
