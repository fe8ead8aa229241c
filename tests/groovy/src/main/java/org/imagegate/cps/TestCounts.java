package org.imagegate.cps;

import java.io.Serializable;
import java.nio.file.Path;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** What {@code junit} gives: the numbers of tests in the reports it has read. */
public final class TestCounts implements Serializable {
    private static final long serialVersionUID = 1L;

    private int total;
    private int failed;
    private int skipped;

    /** Adds a report; a test case without a class name breaks the plugin, and so it does here. */
    void read(Path file) throws Exception {
        NodeList cases = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file.toFile())
            .getElementsByTagName("testcase");
        for (int i = 0; i < cases.getLength(); i++) {
            Element test = (Element) cases.item(i);
            if (!test.hasAttribute("classname")) {
                throw new NullPointerException("test case without classname in " + file);
            }
            total++;
            if (has(test, "failure") || has(test, "error")) {
                failed++;
            } else if (has(test, "skipped")) {
                skipped++;
            }
        }
    }

    private static boolean has(Element test, String child) {
        return test.getElementsByTagName(child).getLength() > 0;
    }

    @Whitelisted
    public int getTotalCount() {
        return total;
    }

    @Whitelisted
    public int getFailCount() {
        return failed;
    }

    @Whitelisted
    public int getSkipCount() {
        return skipped;
    }

    @Whitelisted
    public int getPassCount() {
        return total - failed - skipped;
    }
}
