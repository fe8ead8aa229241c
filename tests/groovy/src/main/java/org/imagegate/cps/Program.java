package org.imagegate.cps;

import com.cloudbees.groovy.cps.Continuable;
import com.cloudbees.groovy.cps.Continuation;
import com.cloudbees.groovy.cps.Outcome;
import com.cloudbees.groovy.cps.impl.CpsCallableInvocation;
import groovy.lang.Closure;
import groovy.lang.Script;
import hudson.model.Result;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException;

/**
 * The running program of a build: resumes one thread at a time, takes the state of all to bytes and back
 * around each step, and waits for the steps that go on outside. Only {@link #post} is for other threads.
 */
final class Program {
    private final Build build;
    private final Map<String, byte[]> classes;
    private final Interpreter interpreter;
    private final Map<Integer, StepRun> active = new HashMap<>();
    private final LinkedBlockingQueue<Runnable> events;
    private ProgramState state = new ProgramState();
    private ScriptLoader loader;
    private CpsThread running;

    /**
     * Makes a program that has not begun.
     *
     * @param classes byte code of all it consists of
     * @param events  what others want done between two steps
     */
    Program(Build build, Map<String, byte[]> classes, LinkedBlockingQueue<Runnable> events) {
        this.build = build;
        this.classes = classes;
        this.events = events;
        this.interpreter = new Interpreter(build);
        this.loader = new ScriptLoader(classes);
    }

    /** Runs the Jenkinsfile to its end and gives its value or exception. */
    Outcome run() throws Exception {
        Script script = (Script) instance(Sources.MAIN);
        int main = add(0, new StepContext(), null,
            new Continuable(script, interpreter.environment(), Continuation.HALT));
        while (true) {
            for (Runnable event = events.poll(); event != null; event = events.poll()) {
                event.run();
            }
            CpsThread next = state.runnable();
            if (next == null) {
                events.take().run();
                continue;
            }
            Outcome outcome = resume(next.id);
            if (outcome != null && next.id == main) {
                return outcome;
            }
        }
    }

    /** Runs a thread until its next step or its end; gives how it ended, null where it has not. */
    private Outcome resume(int id) throws Exception {
        restart(null);
        CpsThread thread = state.threads.get(id);
        Outcome with = thread.pending;
        thread.pending = null;
        running = thread;
        Outcome yielded = interpreter.run(thread.program, with);
        running = null;
        if (thread.program.isResumable()) {
            thread.call = (StepCall) yielded.getNormal();
            restart(thread);
            begin(state.threads.get(id));
            return null;
        }
        state.threads.remove(id);
        if (thread.callback != null) {
            thread.callback.end(build, thread.parent, yielded);
        }
        return yielded;
    }

    /** Goes on with a copy of the state, as after a restart; plain arguments of a call stay what they were. */
    private void restart(CpsThread caller) throws Exception {
        if (!build.scenario().restartsAtEveryStep()) {
            return;
        }
        byte[] bytes = state.write();
        build.result().restarted(bytes.length);
        loader = new ScriptLoader(classes);
        state = ProgramState.read(bytes, loader);
        if (caller != null) {
            state.threads.get(caller.id).call.arguments = caller.call.arguments;
        }
    }

    private void begin(CpsThread thread) {
        StepCall call = thread.call;
        thread.call = null;
        StepRun run = new StepRun(build, thread, call);
        active.put(thread.id, run);
        running = thread;
        try {
            build.steps().start(run);
        } catch (Throwable problem) {
            run.fail(problem);
        }
        running = null;
    }

    private int add(int parent, StepContext context, BodyCallback callback, Continuable program) {
        CpsThread thread = new CpsThread(state.nextId(), parent, context, callback, program);
        state.threads.put(thread.id, thread);
        return thread.id;
    }

    /** Starts the body of a step that a thread has called; gives the body's thread, 0 where it has ended. */
    int startBody(int parent, Closure<?> body, StepContext context, BodyCallback callback) {
        if (body == null) {
            throw new IllegalStateException(active.get(parent).call.name + " step must be called with a body");
        }
        Outcome outcome;
        try {
            outcome = new Outcome(body.call(), null);
        } catch (CpsCallableInvocation call) {
            return add(parent, context, callback, new Continuable(
                call.invoke(interpreter.environment(), null, Continuation.HALT)));
        } catch (Throwable problem) {
            outcome = new Outcome(null, problem);
        }
        callback.end(build, parent, outcome);
        return 0;
    }

    /** Ends the step of a thread; what comes after the first end is ignored. */
    void complete(int id, Outcome outcome) {
        StepRun run = active.remove(id);
        if (run != null) {
            run.ended();
            state.threads.get(id).pending = outcome;
        }
    }

    /** Tells whether a thread has not ended. */
    boolean alive(int id) {
        return state.threads.containsKey(id);
    }

    /** Stops whatever runs inside a thread: its running steps end with the exception. */
    void interrupt(int within, Throwable cause) {
        for (CpsThread thread : state.threads.values().toArray(new CpsThread[0])) {
            if (state.within(thread.id, within)) {
                StepRun run = active.get(thread.id);
                if (run == null) {
                    thread.pending = new Outcome(null, cause);
                } else {
                    run.stop(cause);
                }
            }
        }
    }

    /** Stops what still runs outside when the program has ended, as it does where its state was lost. */
    void stopRest() {
        FlowInterruptedException cause = new FlowInterruptedException(Result.ABORTED, true, "the build has ended");
        active.values().forEach(run -> run.stop(cause));
    }

    /** Stops all that runs. */
    void interruptAll(Throwable cause) {
        interrupt(state.threads.firstKey(), cause);
    }

    /** Has work done in the program's thread, between two of its steps. May be called from any thread. */
    void post(Runnable event) {
        events.add(event);
    }

    /** Gives what the blocks say where the program is. */
    StepContext context() {
        return running == null ? new StepContext() : running.context;
    }

    /** Makes an instance of a class of the Jenkinsfile, the library or the harness's own Groovy. */
    Object instance(String className) {
        try {
            return loader.loadClass(className).getDeclaredConstructor().newInstance();
        } catch (ReflectiveOperationException problem) {
            Throwable cause = problem.getCause() == null ? problem : problem.getCause();
            throw new IllegalStateException("cannot make " + className + ": " + cause, cause);
        }
    }

    /** Gives a class of the Jenkinsfile or the library. */
    Class<?> scriptClass(String className) throws ClassNotFoundException {
        return loader.loadClass(className);
    }
}
