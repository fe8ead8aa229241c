package org.imagegate.cps;

import com.cloudbees.groovy.cps.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;

/** One build: what belongs to it, from the scenario to the result. */
final class Build {
    private static final ThreadLocal<Build> CURRENT = new ThreadLocal<>();
    /** Serialising a deep program recurses deeply. */
    private static final long STACK = 1L << 29;

    private final Scenario scenario;
    private final Farm farm;
    private final BuildInfo info;
    private final Log log = new Log();
    private final BuildResult result = new BuildResult();
    private final Steps steps;
    private final Globals globals = new Globals(this);
    private final LinkedBlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
    private final ExecutorService workers = Executors.newCachedThreadPool(Build::daemon);
    private final List<CompletableFuture<Void>> lasting = new ArrayList<>();
    private Sources sources;
    private Program program;

    /** Makes a build that has not begun. */
    Build(Scenario scenario, Farm farm) {
        this.scenario = scenario;
        this.farm = farm;
        this.info = new BuildInfo(scenario, farm.nextNumber(scenario.jobName()));
        this.steps = new Steps(scenario.list("plugins"));
    }

    private static Thread daemon(Runnable work) {
        Thread thread = new Thread(work, "step");
        thread.setDaemon(true);
        return thread;
    }

    /** Gives the build whose program the calling thread runs; null in other threads. */
    static Build current() {
        return CURRENT.get();
    }

    /** Runs the build to its end in a thread of its own and gives what is to be said of it. */
    BuildResult run() throws InterruptedException {
        Thread thread = new Thread(null, this::runHere, info.job() + " #" + info.number(), STACK);
        thread.start();
        thread.join();
        return result;
    }

    private void runHere() {
        CURRENT.set(this);
        Outcome outcome;
        try {
            sources = new Sources(scenario);
            if (sources.loadedAtStart) {
                loadLibrary();
            }
            globals.addScripts(steps.globals());
            program = new Program(this, sources.classes, events);
            outcome = program.run();
        } catch (Throwable problem) {
            outcome = new Outcome(null, problem);
        }
        if (program != null) {
            program.stopRest();
        }
        lasting.forEach(CompletableFuture::join);
        workers.shutdownNow();
        new BuildEnd(this).finish(outcome);
        CURRENT.remove();
    }

    /** Stops the whole build, as a user does. May be called from any thread. */
    void abort(Throwable cause) {
        events.add(() -> program.interruptAll(cause));
    }

    /** Makes the library's variables known. */
    void loadLibrary() {
        globals.addScripts(sources.libraryVariables);
        info.setLibraryVersion(scenario.libraryVersion());
    }

    /** Has work done outside of the program; it is interrupted when the build ends. */
    void submit(Runnable work) {
        workers.execute(work);
    }

    /** Has work done outside of the program, for whose end the build waits before it ends itself. */
    void lasting(Runnable work) {
        lasting.add(CompletableFuture.runAsync(work, workers));
    }

    /** Gives the variables where the program is. */
    Map<String, String> environment() {
        return info.environment(program.context());
    }

    /** Gives what other builds see of this one. */
    BuildFacts facts() {
        return info.facts(result);
    }

    Program program() {
        return program;
    }

    BuildInfo info() {
        return info;
    }

    Scenario scenario() {
        return scenario;
    }

    Farm farm() {
        return farm;
    }

    Log log() {
        return log;
    }

    BuildResult result() {
        return result;
    }

    Steps steps() {
        return steps;
    }

    Globals globals() {
        return globals;
    }
}
