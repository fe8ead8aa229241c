import org.imagegate.Bridge

/** See promoteImage.txt. */
Map call(Map parameters = [:]) {
    return new Bridge(this).run('promoteImage', parameters)
}
