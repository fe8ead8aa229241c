package org.imagegate.cps;

import com.cloudbees.groovy.cps.Block;
import com.cloudbees.groovy.cps.Env;
import com.cloudbees.groovy.cps.impl.CpsClosure;
import java.util.List;
import org.codehaus.groovy.runtime.InvokerHelper;

/** The class of all closures in pipelines. */
public class PipelineClosure extends CpsClosure {
    private static final long serialVersionUID = 1L;

    /** Is called by the CPS library when a closure expression is evaluated. */
    public PipelineClosure(Object owner, Object thisObject, List<String> parameters, Block body, Env capture) {
        super(owner, thisObject, parameters, body, capture);
    }

    /** Makes {@code sleep 5} the step even here: Groovy would otherwise find its own method of that name first. */
    @Whitelisted
    public Object sleep(long time) {
        return InvokerHelper.invokeMethod(getOwner(), "sleep", time);
    }
}
