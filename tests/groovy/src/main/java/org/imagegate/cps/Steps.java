package org.imagegate.cps;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The steps and symbols of a controller with certain plugins. */
final class Steps {
    private static final List<String> SYMBOLS = List.of("usernamePassword", "string", "file", "zip",
        "usernameColonPassword", "sshUserPrivateKey", "certificate", "booleanParam", "choice", "password", "text",
        "run", "parameters", "buildDiscarder", "logRotator", "disableConcurrentBuilds", "disableResume",
        "pipelineTriggers", "cron", "upstream", "durabilityHint", "copyArtifactPermission");

    private final Map<String, StepSpec> steps = new TreeMap<>();
    private final Set<String> symbols = new TreeSet<>(SYMBOLS);
    private final Set<String> globals = new TreeSet<>(Set.of("pipeline"));

    /** Makes the steps of a controller on which those optional plugins are. */
    Steps(Collection<String> plugins) {
        List<StepSpec> all = new ArrayList<>();
        all.addAll(BasicSteps.specs());
        all.addAll(BlockSteps.specs());
        all.addAll(LimitSteps.specs());
        all.addAll(FileSteps.specs());
        all.addAll(StashSteps.specs());
        all.addAll(CredentialSteps.specs());
        all.addAll(LibrarySteps.specs());
        all.add(ShellStep.spec());
        all.add(ParallelStep.spec());
        all.add(BuildStep.spec());
        for (String plugin : plugins) {
            all.addAll(ReportSteps.specs(plugin));
            all.addAll(ContainerSteps.specs(plugin));
            symbols.addAll(ReportSteps.symbols(plugin));
            globals.addAll(ContainerSteps.globals(plugin));
        }
        all.forEach(spec -> steps.put(spec.name(), spec));
    }

    /** Gives the step of that name, or null. */
    StepSpec step(String name) {
        return steps.get(name);
    }

    boolean symbol(String name) {
        return symbols.contains(name);
    }

    Set<String> stepNames() {
        return steps.keySet();
    }

    Set<String> symbolNames() {
        return symbols;
    }

    /** Gives the names of global variables that come with plugins. */
    Set<String> globals() {
        return globals;
    }

    /** Starts the step of a run, with the warning about unknown arguments that a controller gives. */
    void start(StepRun run) throws Exception {
        StepSpec spec = steps.get(run.call.name);
        if (spec.parameters() != null) {
            for (String name : run.call.arguments.keySet()) {
                if (!spec.parameters().contains(name)) {
                    run.log("WARNING: Unknown parameter(s) found for class type '" + spec.name() + "': " + name);
                }
            }
        }
        spec.action().start(run);
    }
}
