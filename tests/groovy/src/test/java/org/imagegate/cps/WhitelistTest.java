package org.imagegate.cps;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.Test;

/** The list of permitted accesses: each line is the signature of something that there is. */
public class WhitelistTest {
    private static final Path LIST = Path.of("whitelist.txt");

    @Test
    public void eachLineNamesAMember() throws Exception {
        List<String> unknown = new ArrayList<>();
        for (String line : Files.readAllLines(LIST)) {
            if (!line.isBlank() && !line.startsWith("#")
                    && signatures(Class.forName(line.split(" ")[1])).noneMatch(line::equals)) {
                unknown.add(line);
            }
        }
        assertEquals(List.of(), unknown);
    }

    private static Stream<String> signatures(Class<?> type) {
        Stream<String> methods = Arrays.stream(type.getDeclaredMethods()).map(Whitelist::signature);
        Stream<String> constructors = Arrays.stream(type.getDeclaredConstructors()).map(Whitelist::signature);
        Stream<String> fields = Arrays.stream(type.getDeclaredFields()).map(Whitelist::signature);
        return Stream.of(methods, constructors, fields).flatMap(each -> each);
    }

    @Test
    public void linesAreKnownAndOthersAreNot() throws Exception {
        Whitelist whitelist = Whitelist.read(List.of(LIST));
        assertTrue(whitelist.has("method java.util.Map get java.lang.Object"));
        assertTrue(!whitelist.has("staticMethod java.lang.System exit int"));
    }

    @Test(expected = IllegalArgumentException.class)
    public void otherTextIsAnError() throws Exception {
        Path file = Files.createTempFile("list", ".txt");
        try {
            Files.writeString(file, "everything\n");
            Whitelist.read(List.of(file));
        } finally {
            Files.delete(file);
        }
    }
}
