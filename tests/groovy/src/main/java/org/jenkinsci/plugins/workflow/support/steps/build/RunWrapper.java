package org.jenkinsci.plugins.workflow.support.steps.build;

import hudson.model.Result;
import java.io.Serializable;
import java.util.List;
import java.util.Map;
import org.imagegate.cps.RunView;
import org.imagegate.cps.Whitelisted;

/**
 * Stands in for the controller's class of that name: a build as scripts see it, either the running one
 * ({@code currentBuild}) or one that the {@code build} step has run.
 */
public final class RunWrapper implements Serializable {
    private static final long serialVersionUID = 1L;

    private final RunView view;

    /** Wraps a view of a build. */
    public RunWrapper(RunView view) {
        this.view = view;
    }

    @Whitelisted
    public void setResult(String result) {
        view.setResult(Result.fromString(result));
    }

    @Whitelisted
    public void setDescription(String description) {
        view.setDescription(description);
    }

    @Whitelisted
    public void setDisplayName(String name) {
        view.setDisplayName(name);
    }

    @Whitelisted
    public int getNumber() {
        return view.number();
    }

    @Whitelisted
    public String getId() {
        return String.valueOf(view.number());
    }

    @Whitelisted
    public String getResult() {
        return view.result();
    }

    @Whitelisted
    public String getCurrentResult() {
        return view.result() == null ? Result.SUCCESS.toString() : view.result();
    }

    @Whitelisted
    public boolean resultIsBetterOrEqualTo(String other) {
        return Result.fromString(getCurrentResult()).isBetterOrEqualTo(Result.fromString(other));
    }

    @Whitelisted
    public boolean resultIsWorseOrEqualTo(String other) {
        return Result.fromString(getCurrentResult()).isWorseOrEqualTo(Result.fromString(other));
    }

    @Whitelisted
    public String getDescription() {
        return view.description();
    }

    @Whitelisted
    public String getDisplayName() {
        return view.displayName();
    }

    @Whitelisted
    public String getFullDisplayName() {
        return view.job().replace("/", " » ") + " " + view.displayName();
    }

    @Whitelisted
    public String getProjectName() {
        return view.job().substring(view.job().lastIndexOf('/') + 1);
    }

    @Whitelisted
    public String getFullProjectName() {
        return view.job();
    }

    @Whitelisted
    public String getAbsoluteUrl() {
        return view.url();
    }

    @Whitelisted
    public Map<String, String> getBuildVariables() {
        return view.variables();
    }

    @Whitelisted
    public long getDuration() {
        return view.milliseconds();
    }

    /** There is never a previous build: each run of the harness starts with none. */
    @Whitelisted
    public RunWrapper getPreviousBuild() {
        return null;
    }

    /** There are never changes: the harness copies files and knows no history. */
    @Whitelisted
    public List<Object> getChangeSets() {
        return List.of();
    }

    /** Exists so that the sandbox can refuse it by its name; no list of a controller permits it. */
    public Object getRawBuild() {
        throw new UnsupportedOperationException("there is no controller");
    }
}
