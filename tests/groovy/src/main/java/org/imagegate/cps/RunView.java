package org.imagegate.cps;

import hudson.model.Result;
import java.io.Serializable;
import java.util.Map;

/** A build as its script-side wrapper sees it: the running one, or one that has ended. */
public abstract class RunView implements Serializable {
    private static final long serialVersionUID = 1L;

    abstract BuildFacts facts();

    /** Makes the result worse; only the running build can. */
    public abstract void setResult(Result result);

    /** Sets the description; only the running build can. */
    public abstract void setDescription(String text);

    /** Sets the displayed name; only the running build can. */
    public abstract void setDisplayName(String text);

    public final String job() {
        return facts().job();
    }

    public final int number() {
        return facts().number();
    }

    public final String result() {
        return facts().result();
    }

    public final String description() {
        return facts().description();
    }

    public final String displayName() {
        return facts().displayName();
    }

    public final String url() {
        return facts().url();
    }

    public final Map<String, String> variables() {
        return facts().variables();
    }

    public final long milliseconds() {
        return facts().milliseconds();
    }

    /** The running build: asked anew each time, so that nothing of it is part of the program's state. */
    static final class Current extends RunView {
        private static final long serialVersionUID = 1L;

        @Override
        BuildFacts facts() {
            return Build.current().facts();
        }

        @Override
        public void setResult(Result result) {
            Build.current().result().worsen(result);
        }

        @Override
        public void setDescription(String text) {
            Build.current().result().put("description", text);
        }

        @Override
        public void setDisplayName(String text) {
            Build.current().result().put("displayName", text);
        }
    }

    /** A build that has ended. */
    static final class Ended extends RunView {
        private static final long serialVersionUID = 1L;

        private final BuildFacts facts;

        Ended(BuildFacts facts) {
            this.facts = facts;
        }

        @Override
        BuildFacts facts() {
            return facts;
        }

        @Override
        public void setResult(Result result) {
            throw new SecurityException("can only set the result property on the current build");
        }

        @Override
        public void setDescription(String text) {
            throw new SecurityException("can only set the description property on the current build");
        }

        @Override
        public void setDisplayName(String text) {
            throw new SecurityException("can only set the displayName property on the current build");
        }
    }
}
