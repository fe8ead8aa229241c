package org.imagegate.cps;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What the blocks around a step say: node, directories, environment, secrets, stage, branch. Never changes. */
final class StepContext implements Serializable, Cloneable {
    private static final long serialVersionUID = 1L;

    /** One block's variables; their values may refer to other variables where expand is set. */
    record Layer(Map<String, String> values, boolean expand) implements Serializable {
    }

    String node;
    String workspace;
    String directory;
    String stage;
    String branch;
    /** Image of the docker block around the step, or null. */
    String image;
    private ArrayList<Layer> layers = new ArrayList<>();
    private ArrayList<String> secrets = new ArrayList<>();
    private ArrayList<String> credentials = new ArrayList<>();

    private StepContext copy() {
        try {
            StepContext copy = (StepContext) clone();
            copy.layers = new ArrayList<>(layers);
            copy.secrets = new ArrayList<>(secrets);
            copy.credentials = new ArrayList<>(credentials);
            return copy;
        } catch (CloneNotSupportedException impossible) {
            throw new AssertionError(impossible);
        }
    }

    StepContext withWorkspace(String name, String path) {
        StepContext copy = copy();
        copy.node = name;
        copy.workspace = path;
        copy.directory = path;
        return copy;
    }

    StepContext withDirectory(String path) {
        StepContext copy = copy();
        copy.directory = path;
        return copy;
    }

    StepContext withStage(String name) {
        StepContext copy = copy();
        copy.stage = name;
        return copy;
    }

    StepContext withBranch(String name) {
        StepContext copy = copy();
        copy.branch = name;
        return copy;
    }

    StepContext withImage(String name) {
        StepContext copy = copy();
        copy.image = name;
        return copy;
    }

    /** Adds variables; expand says whether {@code $NAME} in a value stands for another variable. */
    StepContext withEnvironment(Map<String, String> values, boolean expand) {
        StepContext copy = copy();
        copy.layers.add(new Layer(values, expand));
        return copy;
    }

    /** Adds the id of a bound credentials entry and what is to be masked of it. */
    StepContext withCredential(String id, List<String> masked) {
        StepContext copy = copy();
        copy.credentials.add(id);
        copy.secrets.addAll(masked);
        return copy;
    }

    List<Layer> layers() {
        return layers;
    }

    List<String> secrets() {
        return secrets;
    }

    List<String> credentials() {
        return credentials;
    }
}
