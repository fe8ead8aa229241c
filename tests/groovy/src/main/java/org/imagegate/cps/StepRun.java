package org.imagegate.cps;

import com.cloudbees.groovy.cps.Outcome;
import groovy.lang.Closure;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Consumer;

/** A step under way: its arguments and context, and the ways to end it. */
final class StepRun {
    final Build build;
    final int thread;
    final StepCall call;
    final StepContext context;
    private final Map<String, Object> record;
    private final long begun = System.nanoTime();
    private Consumer<Throwable> stopper;

    /** Makes a run of a call that a thread has made, and adds it to what the result says. */
    StepRun(Build build, CpsThread thread, StepCall call) {
        this.build = build;
        this.thread = thread.id;
        this.context = thread.context;
        this.call = call;
        this.record = record(thread.context, call);
        build.result().add("steps", record);
    }

    private static Map<String, Object> record(StepContext context, StepCall call) {
        Map<String, Object> arguments = new LinkedHashMap<>();
        call.arguments.forEach((key, value) -> arguments.put(key, BuildResult.plain(context, value)));
        call.closures.keySet().forEach(key -> arguments.put(key, "{}"));
        Map<String, Object> record = new LinkedHashMap<>();
        record.put("name", call.name);
        record.put("arguments", arguments);
        record.put("node", context.node);
        record.put("cwd", context.directory);
        record.put("stage", context.stage);
        record.put("branch", context.branch);
        record.put("credentials", context.credentials());
        record.put("seconds", null);
        return record;
    }

    /** Gives an argument; null where it is absent. */
    Object get(String name) {
        return call.arguments.get(name);
    }

    /** Gives an argument as text; the other text where it is absent. */
    String text(String name, String absent) {
        Object value = get(name);
        return value == null ? absent : value.toString();
    }

    /** Gives an argument as text; where it is absent the step fails as one without a required argument. */
    String text(String name) {
        String value = text(name, null);
        if (value == null) {
            throw new IllegalArgumentException("Missing required parameter: \"" + name + "\"");
        }
        return value;
    }

    /** Gives an argument that is true or false; the other value where it is absent. */
    boolean flag(String name, boolean absent) {
        Object value = get(name);
        return value == null ? absent : Boolean.parseBoolean(value.toString());
    }

    /** Gives an argument that is a whole number; the other one where it is absent. */
    int number(String name, int absent) {
        Object value = get(name);
        return value == null ? absent : (int) Double.parseDouble(value.toString());
    }

    /** Ends the step with a value. */
    void done(Object value) {
        build.program().complete(thread, new Outcome(value, null));
    }

    /** Ends the step with an exception. */
    void fail(Throwable problem) {
        build.program().complete(thread, new Outcome(null, problem));
    }

    /** Runs the step's body in a context; how it ends is how the step ends. Gives the body's thread. */
    int body(StepContext inside) {
        return body(inside, BodyCallback.PASS);
    }

    /** Runs the step's body in a context; the callback decides how the step ends. Gives the body's thread. */
    int body(StepContext inside, BodyCallback callback) {
        return build.program().startBody(thread, call.body, inside, callback);
    }

    /** Runs one closure of several in a context of its own. Gives its thread. */
    int body(Closure<?> closure, StepContext inside, BodyCallback callback) {
        return build.program().startBody(thread, closure, inside, callback);
    }

    /**
     * Runs work outside of the program, which other threads of the program go on beside.
     *
     * @param work what gives the value of the step
     * @param stop what makes the work end early, with the given exception
     */
    void background(Callable<Object> work, Consumer<Throwable> stop) {
        stopper = stop;
        build.submit(() -> {
            Outcome outcome;
            try {
                outcome = new Outcome(work.call(), null);
            } catch (Throwable problem) {
                outcome = new Outcome(null, problem);
            }
            Outcome ended = outcome;
            build.program().post(() -> build.program().complete(thread, ended));
        });
    }

    /** Stops the work outside of the program, if there is any; tells whether there was. */
    boolean stop(Throwable cause) {
        if (stopper == null) {
            return false;
        }
        stopper.accept(cause);
        return true;
    }

    /** Notes how long the step took; called when it has ended. */
    void ended() {
        record.put("seconds", Math.round((System.nanoTime() - begun) / 1e6) / 1e3);
    }

    /** Writes a line to the log, in the step's context. */
    void log(String line) {
        build.log().line(context, line);
    }
}
