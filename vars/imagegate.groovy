import org.imagegate.Bridge

/** See imagegate.txt. */
Map call(Object parameters = [:]) {
    return new Bridge(this).run('imagegate', parameters)
}
