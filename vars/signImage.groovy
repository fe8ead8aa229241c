import org.imagegate.Bridge

/** See signImage.txt. */
Map call(Object parameters = [:]) {
    return new Bridge(this).run('signImage', parameters)
}
