import org.imagegate.Bridge

/** See promoteImage.txt. */
Map call(Object parameters = [:]) {
    return new Bridge(this).run('promoteImage', parameters)
}
