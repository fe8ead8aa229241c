import org.toy.Greeter

/** Says hello; runs one step of its own and counts its calls. */
def call(Map arguments) {
    calls = calls + 1
    echo "call ${calls} of greet"
    return new Greeter(this).greet(arguments.name)
}

@groovy.transform.Field
int calls = 0
