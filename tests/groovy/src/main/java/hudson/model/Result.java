package hudson.model;

import java.io.Serializable;

/** Stands in for the controller's class of that name: how a build ended, ordered from good to bad. */
public final class Result implements Serializable {
    private static final long serialVersionUID = 1L;

    public static final Result SUCCESS = new Result("SUCCESS", 0);
    public static final Result UNSTABLE = new Result("UNSTABLE", 1);
    public static final Result FAILURE = new Result("FAILURE", 2);
    public static final Result NOT_BUILT = new Result("NOT_BUILT", 3);
    public static final Result ABORTED = new Result("ABORTED", 4);
    private static final Result[] ALL = {SUCCESS, UNSTABLE, FAILURE, NOT_BUILT, ABORTED};

    private final String name;
    public final int ordinal;

    private Result(String name, int ordinal) {
        this.name = name;
        this.ordinal = ordinal;
    }

    /** Gives the result of that name, whatever its case; FAILURE where there is none, as on a controller. */
    public static Result fromString(String text) {
        for (Result result : ALL) {
            if (result.name.equalsIgnoreCase(text)) {
                return result;
            }
        }
        return FAILURE;
    }

    /** Tells whether this one is worse than the other. */
    public boolean isWorseThan(Result other) {
        return ordinal > other.ordinal;
    }

    /** Tells whether this one is as bad as the other, or worse. */
    public boolean isWorseOrEqualTo(Result other) {
        return ordinal >= other.ordinal;
    }

    /** Tells whether this one is better than the other. */
    public boolean isBetterThan(Result other) {
        return ordinal < other.ordinal;
    }

    /** Tells whether this one is as good as the other, or better. */
    public boolean isBetterOrEqualTo(Result other) {
        return ordinal <= other.ordinal;
    }

    @Override
    public String toString() {
        return name;
    }

    private Object readResolve() {
        return fromString(name);
    }
}
