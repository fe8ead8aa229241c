package org.imagegate.cps;

import java.io.Serializable;
import java.util.Map;

/** What other builds see of a build. */
record BuildFacts(String job, int number, String result, String description, String displayName, String url,
                  Map<String, String> variables, long milliseconds) implements Serializable {
}
