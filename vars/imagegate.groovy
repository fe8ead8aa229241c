import org.imagegate.Bridge

/** See imagegate.txt. */
Map call(Map parameters = [:]) {
    return new Bridge(this).run('imagegate', parameters)
}
