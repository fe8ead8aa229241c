package org.imagegate.cps;

import com.cloudbees.groovy.cps.CpsTransformer;
import com.cloudbees.groovy.cps.sandbox.Untrusted;
import org.codehaus.groovy.ast.ASTNode;
import org.codehaus.groovy.ast.ClassCodeExpressionTransformer;
import org.codehaus.groovy.ast.ClassNode;
import org.codehaus.groovy.ast.FieldNode;
import org.codehaus.groovy.ast.MethodNode;
import org.codehaus.groovy.ast.expr.CastExpression;
import org.codehaus.groovy.ast.expr.Expression;
import org.codehaus.groovy.ast.expr.VariableExpression;
import org.codehaus.groovy.ast.stmt.Statement;
import org.codehaus.groovy.classgen.GeneratorContext;
import org.codehaus.groovy.control.SourceUnit;
import org.kohsuke.groovy.sandbox.SandboxTransformer;

/**
 * The CPS transformer for code that runs in the sandbox: marks call sites as untrusted, and has what is not
 * CPS-transformed checked too. The CPS library has such a class, but its release on Maven Central needs a
 * newer sandbox library than there is; it differs in that it also refuses methods named finalize.
 */
final class CheckingTransformer extends CpsTransformer {
    private final SandboxTransformer sandbox = new SandboxTransformer();
    private ClassCodeExpressionTransformer checker;

    @Override
    public void call(SourceUnit source, GeneratorContext context, ClassNode node) {
        checker = sandbox.createVisitor(source, node);
        super.call(source, context, node);
    }

    @Override
    protected Class<?> getTrustTag() {
        return Untrusted.class;
    }

    @Override
    protected void processConstructors(ClassNode node) {
        sandbox.processConstructors(checker, node);
    }

    @Override
    protected void visitNontransformedMethod(MethodNode method) {
        checker.visitMethod(method);
    }

    @Override
    protected void visitNontransformedField(FieldNode field) {
        checker.visitField(field);
    }

    @Override
    protected void visitNontransformedStatement(Statement statement) {
        statement.visit(checker);
    }

    @Override
    public void visitCastExpression(CastExpression cast) {
        checked(cast, () -> visit(cast.getExpression()), cast.getType(), cast.isIgnoringAutoboxing(), cast.isCoerce(),
            cast.isStrict());
    }

    @Override
    protected void visitAssignmentOrCast(VariableExpression variable, Expression value) {
        if (SandboxTransformer.mightBePositionalArgumentConstructor(variable)) {
            checked(variable, () -> visit(value), variable.getType(), false, true, false);
        } else {
            super.visitAssignmentOrCast(variable, value);
        }
    }

    @Override
    protected void getMultipleAssignmentValueOrCast(VariableExpression variable, Expression value, Expression index) {
        if (SandboxTransformer.mightBePositionalArgumentConstructor(variable)) {
            Runnable element = () -> makeNode("array", () -> {
                loc(value);
                visit(value);
                makeNode("constant", index);
            });
            checked(variable, element, variable.getType(), false, true, false);
        } else {
            super.getMultipleAssignmentValueOrCast(variable, value, index);
        }
    }

    /** Emits a cast that is checked like the constructor call it may turn into. */
    private void checked(ASTNode where, Runnable value, ClassNode type, boolean boxes, boolean coerces,
                         boolean strict) {
        makeNode("sandboxCastOrCoerce", () -> {
            loc(where);
            value.run();
            literal(type);
            literal(boxes);
            literal(coerces);
            literal(strict);
        });
    }
}
