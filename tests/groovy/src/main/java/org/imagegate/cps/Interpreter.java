package org.imagegate.cps;

import com.cloudbees.groovy.cps.Continuable;
import com.cloudbees.groovy.cps.Env;
import com.cloudbees.groovy.cps.Envs;
import com.cloudbees.groovy.cps.Outcome;
import com.cloudbees.groovy.cps.impl.CpsCallableInvocation;
import com.cloudbees.groovy.cps.sandbox.Invoker;
import com.cloudbees.groovy.cps.sandbox.SandboxInvoker;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs a program until it suspends, with the method replacements and the checks that a controller has. */
final class Interpreter {
    @SuppressWarnings("rawtypes")
    private static final List<Class> CATEGORIES = categories();

    private final Build build;
    private SandboxGuard guard;

    Interpreter(Build build) {
        this.build = build;
    }

    @SuppressWarnings("rawtypes")
    private static List<Class> categories() {
        List<Class> categories = new ArrayList<>(Continuable.categories);
        categories.add(Iterators.class);
        return categories;
    }

    /** Gives an empty environment for a program that nothing of the program has called. */
    Env environment() {
        return Envs.empty(build.scenario().sandbox() ? new SandboxInvoker() : Invoker.INSTANCE);
    }

    /** Resumes a program; gives what it suspends with, or its value or exception where it has ended. */
    Outcome run(Continuable program, Outcome with) throws IOException {
        CpsCallableInvocation.registerMismatchHandler(this::mismatch);
        if (!build.scenario().sandbox()) {
            return program.run0(with, CATEGORIES);
        }
        if (guard == null) {
            List<Path> files = build.scenario().list("whitelist").stream().map(Path::of).toList();
            guard = new SandboxGuard(Whitelist.read(files), build);
        }
        guard.register();
        try {
            return program.run0(with, CATEGORIES);
        } finally {
            guard.unregister();
        }
    }

    private void mismatch(Object expectedReceiver, String expected, Object actualReceiver, String actual) {
        build.log().add("expected to call " + name(expectedReceiver) + "." + expected + " but wound up catching "
            + name(actualReceiver) + "." + actual
            + "; see: https://jenkins.io/redirect/pipeline-cps-method-mismatches/");
    }

    private static String name(Object receiver) {
        return receiver == null ? "null" : receiver.getClass().getName();
    }
}
