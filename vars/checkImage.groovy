import org.imagegate.Bridge

/** See checkImage.txt. */
Map call(Map parameters = [:]) {
    return new Bridge(this).run('checkImage', parameters)
}
