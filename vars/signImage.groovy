import org.imagegate.Bridge

/** See signImage.txt. */
Map call(Map parameters = [:]) {
    return new Bridge(this).run('signImage', parameters)
}
