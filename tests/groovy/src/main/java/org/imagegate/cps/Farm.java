package org.imagegate.cps;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** What the builds of one run share: the directories below the root, build numbers, workspaces in use. */
final class Farm {
    private final Path root;
    private final Map<String, Integer> numbers = new HashMap<>();
    private final Set<String> leased = new HashSet<>();

    /** Makes an empty one below that directory. */
    Farm(Path root) {
        this.root = root;
    }

    /** Gives the number of a job's next build. */
    synchronized int nextNumber(String job) {
        return numbers.merge(job, 1, Integer::sum);
    }

    /** Gives a workspace that nobody else uses: the job's name, or that with @2, @3 … behind it. */
    synchronized Path lease(String job) throws IOException {
        return leaseBelow(root.resolve("workspace").resolve(job));
    }

    /** Gives the directory if nobody else uses it, or else it with @2, @3 … behind its name. */
    synchronized Path leaseBelow(Path wanted) throws IOException {
        String name = wanted.toString();
        for (int i = 2; !leased.add(name); i++) {
            name = wanted + "@" + i;
        }
        Files.createDirectories(Path.of(name));
        return Path.of(name);
    }

    /** Gives a workspace back. */
    synchronized void release(String workspace) {
        leased.remove(workspace);
    }

    /** Gives the directory of the files that a build keeps: archive or stash. */
    Path kept(String kind, String job, int number) {
        return root.resolve(kind).resolve(job).resolve(String.valueOf(number));
    }
}
